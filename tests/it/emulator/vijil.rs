//! The Vijil half over a real socket: what it refuses, what it remembers, and each switch where the
//! facts are silent.

use reqwest::Method;
use seawall::emulator::vijil::{
    ActiveEdit, AfterEdit, Count, CreatedStatus, DeleteWithRules, Duplicates, PatchedActive,
    RefusedActivation, SecondReview, VijilOrder,
};
use seawall::emulator::{Builder, Emulator, Running, VijilAccount, VijilBehaviour};
use serde_json::{Value, json};

use super::stored;

struct Vijil {
    emulator: Running,
    http: reqwest::Client,
    token: String,
}

impl Vijil {
    async fn new(behaviour: VijilBehaviour) -> Self {
        Self::with(|builder| builder.vijil_behaviour(behaviour)).await
    }

    async fn with(set_up: impl FnOnce(Builder) -> Builder) -> Self {
        let account = VijilAccount {
            client_id: "vk_one".into(),
            client_secret: "secret-one".into(),
            api_key: Some("key-one".into()),
            email: Some("a@example.com".into()),
        };
        let emulator = set_up(Emulator::builder().vijil_account(account)).start().await.unwrap();
        let mut this = Self { emulator, http: super::http(), token: String::new() };
        let pair = json!({"client_id": "vk_one", "client_secret": "secret-one"});
        let (status, body) = this.call(Method::POST, "/v1/auth/token", Some(pair)).await;
        assert_eq!(status, 200);
        this.token = body["access_token"].as_str().unwrap().to_owned();
        this
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.emulator.origin());
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.1
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, Some(body)).await
    }

    /// A policy with one rule; their paths.
    async fn policy(&self) -> (String, String) {
        let (_, policy) =
            self.post("/v1/policies/", json!({"name": "Data", "category": "privacy"})).await;
        let policy = format!("/v1/policies/{}", policy["id"].as_str().unwrap());
        let (status, rule) = self.post(&format!("{policy}/rules"), rule("PRIV-001")).await;
        assert_eq!(status, 201);
        (policy, format!("/v1/rules/{}", rule["id"].as_str().unwrap()))
    }
}

fn rule(rule_id: &str) -> Value {
    json!({"rule_id": rule_id, "rule_type": "prohibition", "action": "disclose", "target": "customer_pii",
        "consequence": {"action": "block", "severity": "high", "ticket": true}, "natural_language": "Never."})
}

fn errors(body: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    body["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (text(&error["type"]), error["loc"].to_string()))
        .collect()
}

#[tokio::test]
async fn a_policy_goes_from_draft_to_active_once_every_rule_is_approved() {
    let vijil = Vijil::new(VijilBehaviour::default()).await;
    let (policy, rule) = vijil.policy().await;
    assert_eq!(vijil.call(Method::POST, &format!("{policy}/activate"), None).await.0, 400);
    let (status, approved) =
        vijil.call(Method::POST, &format!("{rule}/approve?notes=seen%20by%20two"), None).await;
    assert_eq!(
        (status, &approved["status"], &approved["review_notes"]),
        (200, &json!("approved"), &json!("seen by two"))
    );
    assert_eq!(approved["consequence"]["ticket"], true);
    let (status, active) = vijil.call(Method::POST, &format!("{policy}/activate"), None).await;
    assert_eq!(
        (status, &active["status"], &active["rules_count"]),
        (200, &json!("active"), &json!(1))
    );
    let (status, rejected) =
        vijil.call(Method::POST, &format!("{rule}/reject?reason=no"), None).await;
    assert_eq!(
        (status, &rejected["status"], &rejected["review_notes"]),
        (200, &json!("rejected"), &json!("no"))
    );
    assert_eq!(vijil.call(Method::DELETE, &policy, None).await.0, 204);
    assert_eq!(vijil.call(Method::GET, &rule, None).await.0, 404);
}

#[tokio::test]
async fn bodies_and_queries_are_refused_as_the_framework_refuses_them() {
    let vijil = Vijil::new(VijilBehaviour::default()).await;
    let (policy, rule) = vijil.policy().await;
    let table = [
        (Method::POST, format!("{rule}/reject"), None, "missing", r#"["query","reason"]"#),
        (
            Method::POST,
            format!("{rule}/reject?reason="),
            None,
            "string_too_short",
            r#"["query","reason"]"#,
        ),
        (
            Method::GET,
            "/v1/policies/?limit=0".into(),
            None,
            "greater_than_equal",
            r#"["query","limit"]"#,
        ),
        (
            Method::GET,
            "/v1/policies/?limit=101".into(),
            None,
            "less_than_equal",
            r#"["query","limit"]"#,
        ),
        (Method::GET, "/v1/rules/?limit=x".into(), None, "int_parsing", r#"["query","limit"]"#),
        (Method::GET, "/v1/policies/?category=".into(), None, "enum", r#"["query","category"]"#),
        // Without its slash the list of presets is a policy with an odd id.
        (
            Method::GET,
            "/v1/policies/presets".into(),
            None,
            "uuid_parsing",
            r#"["path","policy_id"]"#,
        ),
        (Method::POST, "/v1/policies/".into(), None, "missing", r#"["body"]"#),
        (
            Method::PATCH,
            policy.clone(),
            Some(json!({"status": "on"})),
            "enum",
            r#"["body","status"]"#,
        ),
    ];
    for (method, path, body, kind, loc) in table {
        let (status, answer) = vijil.call(method, &path, body).await;
        assert_eq!(
            (status, errors(&answer)),
            (422, vec![(kind.to_owned(), loc.to_owned())]),
            "{path}"
        );
    }
    let (_, several) = vijil.post(&format!("{policy}/rules"), json!({"action": ""})).await;
    assert_eq!(errors(&several).len(), 4); // all at once
    assert_eq!(vijil.call(Method::GET, "/v1/nothing", None).await.0, 404);
    assert_eq!(vijil.call(Method::PUT, &policy, None).await.0, 405);
    for (wrong, right) in
        [("/v1/policies", "/v1/policies/"), ("/v1/rules?limit=1", "/v1/rules/?limit=1")]
    {
        let url = format!("{}{wrong}", vijil.emulator.origin());
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let answer = http.get(url).send().await.unwrap();
        let to = answer.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(
            (answer.status().as_u16(), to),
            (307, format!("{}{right}", vijil.emulator.origin()))
        );
    }
}

#[tokio::test]
async fn calls_carry_a_key_or_a_token_and_an_old_token_can_be_refreshed() {
    let mut vijil = Vijil::new(VijilBehaviour::default()).await;
    let login = json!({"email": "a@example.com", "password": "secret-one"});
    assert_eq!(vijil.post("/v1/auth/jwt/login", login).await.1["token_type"], "bearer");
    assert_eq!(
        vijil.post("/v1/auth/token", json!({"client_id": "vk_one", "client_secret": "x"})).await.0,
        401
    );
    vijil.emulator.expire_tokens();
    assert_eq!(vijil.call(Method::GET, "/v1/policies/", None).await.0, 401);
    let (status, fresh) = vijil.call(Method::POST, "/v1/auth/jwt/refresh", None).await;
    assert_eq!(status, 200);
    for good in [fresh["access_token"].as_str().unwrap(), "key-one"] {
        vijil.token = good.to_owned();
        assert_eq!(vijil.call(Method::GET, "/v1/policies/", None).await.0, 200);
    }
    vijil.token = "forged".into();
    assert_eq!(vijil.call(Method::GET, "/v1/policies/", None).await.0, 401);
    assert_eq!(vijil.call(Method::POST, "/v1/auth/jwt/refresh", None).await.0, 401);
}

#[tokio::test]
async fn lists_come_in_pages_of_limit_and_offset() {
    for order in VijilOrder::ALL {
        for count in Count::ALL {
            let vijil =
                Vijil::new(VijilBehaviour { order: *order, count: *count, ..Default::default() })
                    .await;
            let (policy, _) = vijil.policy().await;
            for number in 2..=5 {
                vijil.post(&format!("{policy}/rules"), rule(&format!("PRIV-{number:03}"))).await;
            }
            let page = vijil.get(&format!("{policy}/rules?limit=2&offset=2")).await;
            assert_eq!((page["results"].as_array().unwrap().len(), &page["total"]), (2, &json!(5)));
            let first = if *order == VijilOrder::LatestFirst { "PRIV-005" } else { "PRIV-001" };
            let all = vijil.get("/v1/rules/?limit=4").await;
            assert_eq!(all["results"][0]["rule_id"], first);
            assert_eq!(all["count"], if *count == Count::Total { 5 } else { 4 });
        }
    }
}

#[tokio::test]
async fn each_switch_shows() {
    for after_edit in AfterEdit::ALL {
        let vijil =
            Vijil::new(VijilBehaviour { after_edit: *after_edit, ..Default::default() }).await;
        let (_, rule) = vijil.policy().await;
        vijil.call(Method::POST, &format!("{rule}/approve"), None).await;
        let (_, edited) = vijil.call(Method::PATCH, &rule, Some(json!({"action": "share"}))).await;
        let status = match after_edit {
            AfterEdit::Modified => "modified",
            AfterEdit::Draft => "draft",
            AfterEdit::Unchanged => "approved",
        };
        assert_eq!(edited["status"], status);
    }
    let behaviour = VijilBehaviour {
        second_review: SecondReview::ConflictWhenSame,
        refused_activation: RefusedActivation::Conflict,
        active_edit: ActiveEdit::Refused,
        patched_active: PatchedActive::Refused,
        created_status: CreatedStatus::Taken,
        duplicates: Duplicates::Conflict,
        delete_with_rules: DeleteWithRules::Refused,
        only_drafts_activate: true,
        older_fields: true,
        ..Default::default()
    };
    let vijil = Vijil::new(behaviour).await;
    let (policy, first) = vijil.policy().await;
    assert_eq!(
        vijil.post("/v1/policies/", json!({"name": "Data", "category": "ethics"})).await.0,
        409
    );
    assert_eq!(vijil.post(&format!("{policy}/rules"), rule("PRIV-001")).await.0, 409);
    assert_eq!(vijil.call(Method::POST, &format!("{policy}/activate"), None).await.0, 409);
    for status in [200, 409] {
        assert_eq!(vijil.call(Method::POST, &format!("{first}/approve"), None).await.0, status);
    }
    assert_eq!(vijil.call(Method::PATCH, &policy, Some(json!({"status": "active"}))).await.0, 400);
    vijil.call(Method::PATCH, &policy, Some(json!({"status": "archived"}))).await;
    assert_eq!(vijil.call(Method::POST, &format!("{policy}/activate"), None).await.0, 409);
    vijil.call(Method::PATCH, &policy, Some(json!({"status": "draft"}))).await;
    assert_eq!(vijil.call(Method::POST, &format!("{policy}/activate"), None).await.0, 200);
    assert_eq!(vijil.call(Method::PATCH, &first, Some(json!({"action": "share"}))).await.0, 409);
    assert_eq!(vijil.call(Method::DELETE, &policy, None).await.0, 409);
    assert!(vijil.get(&policy).await.get("rules_count").is_none());
}

#[tokio::test]
async fn the_state_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.redb");
    let vijil = Vijil::with(|builder| stored(builder, &file)).await;
    let (policy, rule) = vijil.policy().await;
    let (kept_policy, kept_rule) = (vijil.get(&policy).await, vijil.get(&rule).await);
    vijil.emulator.stop().await;
    let vijil = Vijil::with(|builder| stored(builder, &file)).await;
    assert_eq!((vijil.get(&policy).await, vijil.get(&rule).await), (kept_policy, kept_rule));
}

#[tokio::test]
async fn presets_are_copied_and_files_are_kept() {
    let vijil = Vijil::new(VijilBehaviour::default()).await;
    let presets = vijil.get("/v1/policies/presets/").await;
    let preset = presets["results"][0]["id"].as_str().unwrap();
    let (status, copy) = vijil
        .call(Method::POST, &format!("/v1/policies/presets/{preset}/copy?name_override=Ours"), None)
        .await;
    assert_eq!((status, &copy["name"], &copy["is_preset"]), (201, &json!("Ours"), &json!(false)));
    let policy = format!("/v1/policies/{}", copy["id"].as_str().unwrap());
    let body = "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"p.txt\"\r\n\r\nBe kind.\r\n--xx--\r\n";
    let url = format!("{}{policy}/upload", vijil.emulator.origin());
    let answer = vijil.http.post(url).bearer_auth(&vijil.token).body(body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let url = format!("{}{policy}/file", vijil.emulator.origin());
    let file = vijil.http.get(url).bearer_auth(&vijil.token).send().await.unwrap();
    assert_eq!(file.text().await.unwrap(), "Be kind.");
    let (_, cleared) = vijil.call(Method::DELETE, &format!("{policy}/file"), None).await;
    assert_eq!(
        (&cleared["file_name"], &cleared["source_text"]),
        (&Value::Null, &json!("Be kind."))
    );
    assert_eq!(vijil.call(Method::GET, &format!("{policy}/converted"), None).await.0, 400);
}
