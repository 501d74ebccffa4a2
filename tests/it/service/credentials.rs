//! Where credentials come from, with helpers that are real programs.

use std::path::Path;

use seawall::service::docker::{Credentials, CredentialsError, Outside};

const TOKEN: &str = "dckr_pat_do-not-show-me";

fn outside(username: Option<&str>, password: Option<&str>, config: Option<&Path>) -> Outside {
    Outside {
        suffix: String::new(),
        username: username.map(str::to_owned),
        password: password.map(|password| password.to_owned().into()),
        docker_config: config.map(Path::to_owned),
    }
}

/// What is found with this `config.json`, and that nothing said about it shows a secret.
fn stored(config: &str) -> Result<Credentials, CredentialsError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    let found = Credentials::find(outside(None, None, Some(folder.path())));
    let said =
        format!("{found:?} {}", found.as_ref().err().map(ToString::to_string).unwrap_or_default());
    assert!(!said.contains("do-not-show-me") && !said.contains("ZG8tbm90LXNob3ctbWU"), "{said}");
    found
}

#[test]
fn variables_come_in_pairs_and_win() {
    let folder = tempfile::tempdir().unwrap();
    let none = Some(folder.path());
    assert!(Credentials::find(outside(Some("someone"), Some(TOKEN), none)).is_ok());
    for (username, password) in [(Some("someone"), None), (None, Some(TOKEN))] {
        let error = Credentials::find(outside(username, password, none)).unwrap_err();
        assert!(matches!(error, CredentialsError::Half { .. }), "{error}");
    }
    for config in [none, None] {
        assert_eq!(
            Credentials::find(outside(None, None, config)).unwrap_err(),
            CredentialsError::None
        );
    }
}

#[test]
fn only_an_access_token_of_docker_login_is_taken() {
    use base64::Engine as _;
    let auth = |pair: &str| base64::engine::general_purpose::STANDARD.encode(pair);
    let auths =
        |fields: String| format!(r#"{{"auths":{{"https://index.docker.io/v1/":{{{fields}}}}}}}"#);
    let pair = |pair: &str| auths(format!(r#""auth":"{}""#, auth(pair)));
    let table = [
        (pair(&format!("someone:{TOKEN}")), None),
        (pair("my-org:dckr_oat_do-not-show-me"), None),
        (pair(&format!("someone:{TOKEN}")).replace("v1/", "v1"), None), // without the slash, as the manual shows it
        (pair("someone:do-not-show-me"), Some("something else than an access token")), // a password
        (pair("<token>:dckr_pat_do-not-show-me"), Some("an identity token")),
        (
            auths(format!(r#""auth":"{}","identitytoken":"do-not-show-me""#, auth("a:"))),
            Some("an identity token"),
        ),
        (auths(r#""auth":"*do-not-show-me*""#.into()), Some("not base64")),
        (auths(format!(r#""auth":"{}""#, auth("do-not-show-me"))), Some("holds no user")),
        (auths(String::new()), Some("there are no Docker credentials")),
        (
            r#"{"auths":{"registry.example.com":{"auth":"ZG8tbm90LXNob3ctbWU="}}}"#.into(),
            Some("there are no Docker"),
        ),
        ("{}".into(), Some("there are no Docker credentials")),
        (r#"{"auths":"do-not-show-me"}"#.into(), Some("line 1, column")), // the parser would repeat the value
        (r#"{"credsStore":"../../evil"}"#.into(), Some("is not the name of a program")),
        (
            r#"{"credsStore":"seawall-no-such-helper"}"#.into(),
            Some("`docker-credential-seawall-no-such-helper` is not installed"),
        ),
    ];
    for (config, says) in table {
        match (stored(&config), says) {
            (Ok(_), None) => {}
            (Err(error), Some(says)) => {
                assert!(error.to_string().contains(says), "{config}: {error}")
            }
            (found, _) => panic!("{config}: {found:?}"),
        }
    }
}
