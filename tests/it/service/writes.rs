//! What becomes of a write under each fault: it arrives once, unless the service did nothing with
//! it.

use seawall::emulator::{
    Answer, Calls, DockerOperation, Edit, Emulator, Fault, FaultKind, Form, Operation, Running,
    Wait, WaitForm,
};
use seawall::service::docker::{Request, Writer};
use seawall::service::http::{Error, Limits, Method, WriteOutcome};
use serde_json::json;

use super::odd::{Odd, answer};
use super::{Client, SECRET, access, limits};

fn create() -> Request {
    Request {
        method: Method::Post,
        path: ["orgs", "my-org", "governance", "policies"].map(str::to_owned).to_vec(),
        body: Some(json!({"name": "Security Research"})),
    }
}

/// The outcome of a create, how often it arrived, and how many policies there are after it.
async fn outcome(kind: FaultKind) -> (WriteOutcome, usize, usize) {
    let emulator: Running = Emulator::builder().start().await.unwrap();
    emulator.arm(Fault::new(kind).on(Calls::Writes).nth(1));
    let writer = Writer::new(&Client::of(&emulator).reader, &access());
    let outcome = writer.send(&create()).await;
    (outcome, emulator.writes().len(), emulator.policies().len())
}

#[tokio::test]
async fn a_write_of_unknown_outcome_is_not_repeated() {
    let refuse = |status| FaultKind::Refuse(Answer { form: Form::Html, ..Answer::status(status) });
    let after =
        |status| FaultKind::RefuseAfter(Answer { form: Form::Html, ..Answer::status(status) });
    let table = [
        (FaultKind::LoseBefore, 0),
        (FaultKind::LoseAfter, 1),
        (FaultKind::Cut, 1),
        (refuse(500), 0),
        (refuse(502), 0),
        (refuse(503), 0),
        (refuse(504), 0),
        (after(500), 1),
        (after(502), 1),
        (after(408), 1), // a gateway that gave up waiting
    ];
    for (kind, policies) in table {
        let (outcome, arrived, made) = outcome(kind.clone()).await;
        assert!(matches!(outcome, WriteOutcome::Unknown(_)), "{kind:?}: {outcome:?}");
        assert_eq!((arrived, made), (1, policies), "{kind:?}");
    }
}

#[tokio::test]
async fn a_refused_write_is_not_done() {
    for status in [400, 403, 404, 409, 501] {
        let (outcome, arrived, made) = outcome(FaultKind::Refuse(Answer::status(status))).await;
        assert!(
            matches!(&outcome, WriteOutcome::Refused(refusal) if refusal.status == status),
            "{outcome:?}"
        );
        assert_eq!((arrived, made), (1, 0));
    }
}

#[tokio::test]
async fn a_write_that_the_service_did_nothing_with_is_sent_again() {
    let limit = FaultKind::RateLimit(Wait { seconds: 7, form: WaitForm::Seconds });
    for kind in [limit, FaultKind::ExpireTokens] {
        let (outcome, arrived, made) = outcome(kind).await;
        assert!(matches!(outcome, WriteOutcome::Done { status: 201, .. }), "{outcome:?}");
        assert_eq!((arrived, made), (2, 1));
    }
}

#[tokio::test]
async fn a_done_write_gives_its_answer() {
    let (outcome, arrived, _) = outcome(FaultKind::Edit(Edit::new(|_| ()))).await;
    let WriteOutcome::Done { status: 201, body } = outcome else { panic!("{outcome:?}") };
    assert_eq!((body["name"].as_str(), arrived), (Some("Security Research"), 1));
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let emulator = Emulator::builder().start().await.unwrap();
    let client = Client::of(&emulator);
    client.reader.teams().await.unwrap(); // logged in
    emulator.stop().await;
    let writer = Writer::new(&client.reader, &access());
    let outcome = writer.send(&create()).await;
    assert!(matches!(outcome, WriteOutcome::NotSent(Error::Unreachable { .. })), "{outcome:?}");
    assert_eq!(client.waits().len(), 4);

    let refused = Emulator::builder()
        .fault(Fault::new(FaultKind::Refuse(Answer::status(401))))
        .start()
        .await
        .unwrap();
    let writer = Writer::new(&Client::of(&refused).reader, &access());
    let outcome = writer.send(&create()).await;
    assert!(matches!(outcome, WriteOutcome::NotSent(Error::Login { .. })), "{outcome:?}");
}

#[tokio::test]
async fn odd_answers_to_a_write() {
    let html: &[u8] = b"<html>ok</html>";
    type Expected = fn(&WriteOutcome) -> bool;
    let table: [(u16, &[u8], Expected); 4] = [
        (200, b"", |outcome| {
            matches!(outcome, WriteOutcome::Done { body: serde_json::Value::Null, .. })
        }),
        (200, html, |outcome| matches!(outcome, WriteOutcome::Unknown(Error::Unreadable { .. }))), // who was that?
        (
            307,
            b"",
            |outcome| matches!(outcome, WriteOutcome::Refused(refusal) if refusal.status == 307),
        ),
        (501, html, |outcome| matches!(outcome, WriteOutcome::Refused(_))),
    ];
    for (status, body, expected) in table {
        let odd =
            Odd::start(move |_, _| answer(status, "Location: http://127.0.0.1:9/v2\r\n", body))
                .await;
        let client = Client::new(&odd.base(), "someone", SECRET, "my-org", limits());
        let writer = Writer::new(&client.reader, &access());
        let outcome = writer.send(&create()).await;
        assert!(expected(&outcome) && odd.asked().len() == 1, "{status}: {outcome:?}");
        assert_eq!(odd.asked()[0].method, "POST");
    }
}

#[tokio::test]
async fn a_silent_service_leaves_the_outcome_unknown() {
    let odd = Odd::start(|_, _| None).await;
    let short = Limits { request: std::time::Duration::from_millis(50), ..limits() };
    let client = Client::new(&odd.base(), "someone", SECRET, "my-org", short);
    let writer = Writer::new(&client.reader, &access());
    let outcome = writer.send(&create()).await;
    assert!(matches!(outcome, WriteOutcome::Unknown(Error::TimeOut { .. })), "{outcome:?}");
    assert_eq!(odd.asked().len(), 1);
}

#[tokio::test]
async fn a_path_cannot_leave_the_organization() {
    let emulator = Emulator::builder().start().await.unwrap();
    let writer = Writer::new(&Client::of(&emulator).reader, &access());
    for id in ["..", ".", ""] {
        let path = ["orgs", "my-org", "governance", "policies", id].map(str::to_owned).to_vec();
        let outcome = writer.send(&Request { method: Method::Delete, path, body: None }).await;
        assert!(matches!(outcome, WriteOutcome::NotSent(Error::Address(_))), "{id}: {outcome:?}");
    }
    assert_eq!(
        emulator
            .calls()
            .iter()
            .filter(|call| call.operation == Some(Operation::Docker(DockerOperation::DeletePolicy)))
            .count(),
        0
    );
}
