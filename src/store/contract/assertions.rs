//! Hook calls, assertions, what they rest on, and what became of the cards.

use std::sync::Arc;

use super::{answer, assert_refused, at, case_id, line, submission};
use crate::store::{
    AssertionRecord, CardRecord, Cause, FeedbackRecord, FurtherSubmission, HookCallRecord, Inputs,
    NextAnswer, Outcome, Said, Snapshot, Store,
};

fn inputs(text: &str) -> Inputs {
    Inputs {
        judged_on: "2026-03-02".parse().unwrap(),
        rules: "f00d".into(),
        held: Some(Snapshot { digest: format!("{:0>64}", text.len()), text: text.into() }),
    }
}

pub(crate) fn hook_call(assertions: &[&str]) -> HookCallRecord {
    let assertion = |id: &&str| AssertionRecord {
        assertion_id: (*id).into(),
        order_reference: "MedicationRequest/order-1".into(),
        order: r#"{"resourceType":"MedicationRequest"}"#.into(),
        coverage_reference: Some("Coverage/c-1".into()),
        member_id: None,
        policy: line(1).policy,
        determination: "review".into(),
        said: Said::Satisfied("CPCT0000000001".into()),
        findings: "[]".into(),
    };
    HookCallRecord {
        hook_instance: "not-unique".into(),
        client: "lakeside".into(),
        service_id: "order-sign".into(),
        guide: "crd-2.2".into(),
        request: "{}".into(),
        gathered: Some(r#"{"answers":[]}"#.into()),
        response: r#"{"cards":[]}"#.into(),
        given_at: at(7),
        inputs: inputs("one"),
        assertions: assertions.iter().map(assertion).collect(),
        cards: Vec::new(),
    }
}

pub(crate) async fn a_hook_call_is_stored_with_all_its_assertions(store: Arc<dyn Store>) {
    let (first, second) = (hook_call(&["a-1", "a-2"]), hook_call(&["a-3"]));
    store.save_hook_call(&first).await.unwrap();
    store.save_hook_call(&second).await.unwrap();
    store.save_hook_call(&hook_call(&[])).await.unwrap();
    for expected in first.assertions.iter().chain(&second.assertions) {
        let found = store.assertion(&expected.assertion_id).await.unwrap().unwrap();
        assert_eq!(&found.assertion, expected);
        assert_eq!((found.service_id.as_str(), found.given_at), ("order-sign", at(7)));
    }
    assert_eq!(store.assertion("a-4").await.unwrap(), None);
}

pub(crate) async fn a_hook_call_that_is_refused_leaves_nothing(store: Arc<dyn Store>) {
    assert_refused(&store.save_hook_call(&hook_call(&["a-1", "a-2", "a-1"])).await);
    assert_eq!(store.assertion("a-1").await.unwrap(), None);
    assert_eq!(store.assertion("a-2").await.unwrap(), None);
}

pub(crate) async fn what_an_assertion_rests_on_is_read_back(store: Arc<dyn Store>) {
    // Two calls with the same snapshot share it.
    let (first, second) = (hook_call(&["a-1", "a-2"]), hook_call(&["a-3"]));
    let bare = HookCallRecord {
        inputs: Inputs { held: None, ..inputs("one") },
        gathered: None,
        ..hook_call(&["a-4"])
    };
    for call in [&first, &second, &bare] {
        store.save_hook_call(call).await.unwrap();
    }
    for (id, call) in [("a-2", &first), ("a-3", &second), ("a-4", &bare)] {
        let found = store.judgement_of_assertion(id).await.unwrap().unwrap();
        assert_eq!((&found.request, &found.gathered), (&call.request, &call.gathered));
        assert_eq!(found.inputs.as_ref(), Some(&call.inputs), "{id}");
        assert_eq!(found.findings, ["[]"]);
    }
    assert_eq!(store.judgement_of_assertion("a-5").await.unwrap(), None);
}

pub(crate) async fn what_each_answer_to_a_case_rests_on_is_read_back(store: Arc<dyn Store>) {
    let mut opening = submission("case-1", 'a', 0);
    opening.answer.lines = vec![line(1), line(2)];
    opening.inputs = Some(inputs("one"));
    store.save_submission(&opening).await.unwrap();
    // Of the update one line is judged anew, the other one stays as it was.
    let anew = crate::store::LineRecord { trace: r#"{"findings":[1]}"#.into(), ..line(2) };
    let further = submission("case-1", 'b', 1);
    let update = NextAnswer {
        case_id: case_id("case-1"),
        seen_answer: 1,
        cause: Cause::Submission(Box::new(FurtherSubmission {
            key: further.key,
            bundle_identifier: None,
            claim_identifier: None,
            body: "{}".into(),
            judged_after: None,
            inputs: Some(inputs("three")),
        })),
        answer: answer("{}", 1, vec![line(1), anew.clone()]),
        notice: None,
    };
    store.save_answer(&update).await.unwrap();
    let found = store.judgements_of_case(&case_id("case-1")).await.unwrap();
    let rests_on: Vec<_> = found.iter().map(|it| it.inputs.clone()).collect();
    assert_eq!(rests_on, [Some(inputs("one")), Some(inputs("three"))]);
    assert_eq!(found[0].findings, [line(1).trace, line(2).trace]);
    assert_eq!((&*found[1].request, &found[1].findings), ("{}", &vec![anew.trace]));
    assert!(store.judgements_of_case(&case_id("case-2")).await.unwrap().is_empty());
}

pub(crate) async fn feedback_is_counted_by_card_and_reason_and_once(store: Arc<dyn Store>) {
    let card = |card_id: &str, name: &str, clause: Option<&str>| CardRecord {
        card_id: card_id.into(),
        order_reference: "MedicationRequest/order-1".into(),
        kind: "additional-orders".into(),
        name: name.into(),
        policy: line(1).policy,
        clause: clause.map(Into::into),
    };
    let cards = ["c-1", "c-2", "c-3"].map(|id| card(id, "braf-test", Some("5")));
    let cards = cards.into_iter().chain([card("c-4", "other", None)]).collect();
    let call = HookCallRecord { cards, ..hook_call(&["a-1"]) };
    store.save_hook_call(&call).await.unwrap();
    let tell = |card_id: &str, client: &str, outcome: Outcome, happened_at: &str| FeedbackRecord {
        card_id: card_id.into(),
        client: client.into(),
        outcome,
        happened_at: happened_at.into(),
        received_at: at(9),
    };
    let accepted = Outcome::Accepted(vec!["s-1".into()]);
    let declined = |reason: Option<&str>| Outcome::Overridden {
        reason: reason.map(Into::into),
        comment: Some("words".into()),
    };
    let told = [
        tell("c-1", "lakeside", accepted.clone(), "2026-03-02T10:00:00Z"),
        // Once more, as after a broken connection.
        tell("c-1", "lakeside", accepted.clone(), "2026-03-02T10:00:00Z"),
        tell("c-1", "lakeside", Outcome::Accepted(vec!["s-2".into()]), "2026-03-02T10:01:00Z"),
        tell("c-2", "lakeside", declined(Some("s|done")), "2026-03-02T10:02:00Z"),
        tell("c-3", "lakeside", declined(None), "2026-03-02T10:03:00Z"),
        // Nobody tells of another client's cards, or of cards that nobody was shown.
        tell("c-4", "harbour", accepted.clone(), "2026-03-02T10:04:00Z"),
        tell("c-9", "lakeside", accepted, "2026-03-02T10:05:00Z"),
    ];
    assert_eq!(store.save_feedback(&told).await.unwrap(), 5);
    let counts = store.feedback_counts().await.unwrap();
    let short: Vec<_> =
        counts.iter().map(|it| (&*it.name, it.shown, it.accepted, it.overridden)).collect();
    assert_eq!(short, [("braf-test", 3, 1, 2), ("other", 1, 0, 0)]);
    assert_eq!(counts[0].clause.as_deref(), Some("5"));
    assert_eq!(counts[0].policy_id.as_deref(), Some("amtagvi"));
    assert_eq!(counts[0].reasons, [(String::new(), 1), ("s|done".to_owned(), 1)]);
}
