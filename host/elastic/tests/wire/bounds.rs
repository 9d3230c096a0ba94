use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use watchbell_contract::{Ask, Buckets, ClusterView, Duration, Question, RawSearch};
use watchbell_elastic::{AskError, Auth, Class, Cluster, ClusterConfig, ErrorKind};

use crate::{
    config, deadline,
    fake::{Fake, Reply, Seen},
    library::{caps, envelope},
    pages, question, target,
};

/// `some-id:secret/key+01`
const KEY: &str = "c29tZS1pZDpzZWNyZXQva2V5KzAx";

/// A server with these fields, whose other answers are `reply`'s.
async fn server(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Fake {
    Fake::start(move |seen| match seen.path.contains("_field_caps") {
        true => Reply::Json(200, caps()),
        false => reply(seen),
    })
    .await
}

fn limited(fake: &Fake) -> ClusterConfig {
    let mut config = config(&[fake]);
    (config.page_hits, config.page_buckets, config.page_bytes_max) = (100, 2, 64 << 10);
    config.retry_max = 0;
    config
}

async fn fault(config: ClusterConfig, question: &Question) -> AskError {
    pages(&Cluster::new(config).unwrap(), question).await.unwrap_err()
}

fn buckets(every: Option<Duration>) -> Question {
    let buckets = Buckets { by: vec!["host".into()], every, ..Buckets::default() };
    Question { ask: Ask::Buckets(buckets), ..question(&[]) }
}

/// `{"id": "pit"}`, or hits.
fn hits(seen: &Seen, hits: Vec<Value>) -> Reply {
    match seen.path.contains("/_pit?") || seen.method == "DELETE" {
        true => Reply::Json(200, json!({ "id": "pit" })),
        false => Reply::Json(200, envelope(hits, json!({ "pit_id": "pit" }))),
    }
}

fn hit(time: i64, tie: i64) -> Value {
    json!({ "_index": "logs-1", "_id": tie.to_string(), "sort": [time, tie] })
}

/// What a repetition costs: few requests, and a fault outside of the rule's doing.
fn assert_endless(fake: &Fake, error: &AskError, reason: &str) {
    assert_eq!(error.cause, ErrorKind::Endless { reason: reason.into() });
    assert_eq!(error.class(), Class::Outside);
    assert!(fake.lines().len() < 10, "{:?}", fake.lines());
}

#[tokio::test]
async fn a_page_of_hits_that_comes_again_ends_the_run() {
    let same = server(|seen| hits(seen, (0..100).map(|n| hit(5, n)).collect())).await;
    let error = fault(limited(&same), &question(&["_id"])).await;
    assert_endless(&same, &error, "two pages of hits end with the same document");

    let turn = AtomicI64::new(1_000);
    let back = server(move |seen| {
        let start = turn.fetch_sub(100, Ordering::SeqCst);
        hits(seen, (0..100).map(|n| hit(900, start + n)).collect())
    })
    .await;
    let error = fault(limited(&back), &question(&["_id"])).await;
    assert_endless(&back, &error, "a page of hits goes back within an instant");
}

#[tokio::test]
async fn a_scroll_that_comes_again_or_does_not_end_ends_the_run() {
    for (size, reason) in
        [(100, "two pages of hits end with the same document"), (99, "a scroll has hits after its last page")]
    {
        let turn = AtomicI64::new(0);
        let fake = server(move |seen| {
            if seen.path.contains("_pit") || seen.path.contains("point_in_time") {
                return Reply::Json(400, json!({ "error": "no handler found for uri" }));
            }
            let first = !seen.path.contains("scroll");
            let turn = if size == 99 { turn.fetch_add(1, Ordering::SeqCst) } else { 0 };
            let hits = (0..if first { 100 } else { size }).map(|n| hit(5, turn * 100 + n));
            Reply::Json(200, envelope(hits.collect(), json!({ "_scroll_id": "s" })))
        })
        .await;
        assert_endless(&fake, &fault(limited(&fake), &question(&["_id"])).await, reason);
    }
}

#[tokio::test]
async fn buckets_that_come_again_end_the_run() {
    let composite = |after: Option<Value>, times: &[i64]| {
        let bucket = |time: &i64| json!({ "key": { "t": time, "b0": "a" }, "doc_count": 1 });
        let mut page = json!({ "buckets": times.iter().map(bucket).collect::<Vec<_>>() });
        if let Some(after) = after {
            page["after_key"] = after;
        }
        Reply::Json(200, envelope(vec![], json!({ "aggregations": { "page": page } })))
    };
    let second = Some(Duration::from_secs(1));
    let same = server(move |_| composite(Some(json!({ "b0": "a" })), &[0, 0])).await;
    let error = fault(limited(&same), &buckets(None)).await;
    assert_endless(&same, &error, "two pages of buckets end with the same key");

    let empty = server(move |_| composite(Some(json!({ "b0": "a" })), &[])).await;
    let error = fault(limited(&empty), &buckets(None)).await;
    assert_endless(&empty, &error, "a page without buckets says that there are more");

    let turn = AtomicI64::new(0);
    let back = server(move |_| {
        let turn = turn.fetch_add(1, Ordering::SeqCst);
        composite(Some(json!({ "b0": turn.to_string() })), &[9_000 - turn * 1_000; 2])
    })
    .await;
    let error = fault(limited(&back), &buckets(second)).await;
    assert_endless(&back, &error, "a page of buckets goes back in time");
}

#[tokio::test]
async fn an_answer_of_too_many_pages_is_too_large() {
    let turn = AtomicI64::new(0);
    let fake = server(move |seen| {
        let start = turn.fetch_add(100, Ordering::SeqCst);
        hits(seen, (0..100).map(|n| hit(start, start + n)).collect())
    })
    .await;
    let config = ClusterConfig { pages_max: 20, ..limited(&fake) };
    let error = fault(config, &question(&["_id"])).await;
    assert_eq!((&error.cause, error.class()), (&ErrorKind::TooManyPages { max: 20 }, Class::TooLarge));
    assert_eq!(fake.lines().iter().filter(|line| line.ends_with("/_search")).count(), 20);
}

#[tokio::test]
async fn a_page_has_no_more_rows_than_were_asked_for() {
    let fake = server(|seen| hits(seen, (0..101).map(|n| hit(5, n)).collect())).await;
    let error = fault(limited(&fake), &question(&["_id"])).await;
    assert!(
        matches!(&error.cause, ErrorKind::Malformed { reason }
        if reason.starts_with("more than the 100 hits that were asked for")),
        "{error}"
    );
    let bucket = json!({ "key": { "b0": "a" }, "doc_count": 1 });
    let page = json!({ "aggregations": { "page": { "buckets": vec![bucket; 3] } } });
    let fake = server(move |_| Reply::Json(200, envelope(vec![], page.clone()))).await;
    let error = fault(limited(&fake), &buckets(None)).await;
    assert!(
        matches!(&error.cause, ErrorKind::Malformed { reason }
        if reason.starts_with("more than the 2 buckets that were asked for")),
        "{error}"
    );
}

/// A response in chunks, so that nobody knows its length, and its end only if it is read.
fn chunked(status: u16, body: &str) -> Reply {
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    Reply::Cut(format!("{head}{:x}\r\n{body}\r\n", body.len()).into_bytes())
}

#[tokio::test]
async fn an_answer_of_unknown_length_is_refused_while_it_is_read() {
    let fake = server(|_| chunked(200, &" ".repeat(70_000))).await;
    let error = fault(limited(&fake), &question(&["host"])).await;
    let cause = ErrorKind::PageTooLarge { bytes: None, max: 64 << 10 };
    assert_eq!((&error.cause, error.class()), (&cause, Class::TooLarge));
    let said = "the response has more than the 65536 bytes of `page_bytes`; lower `page_hits`, ask for fewer fields or raise `page_bytes`";
    assert_eq!(error.cause.to_string(), said);
}

#[tokio::test]
async fn the_start_of_an_endless_error_says_what_it_is() {
    let fake = server(|_| chunked(503, &"no shards today ".repeat(100_000))).await;
    let error = fault(limited(&fake), &question(&["host"])).await;
    let ErrorKind::Unavailable { status: 503, reason } = &error.cause else { panic!("{error}") };
    assert!(reason.starts_with("application/json response: no shards today"), "{reason}");
    assert!(reason.chars().count() <= 301, "{reason}");
}

#[tokio::test]
async fn what_takes_much_memory_is_refused_before_it_is_kept() {
    // 60 KB, within the limit of bytes.
    let tree = || format!("[{}0]", "[],".repeat(20_000));
    let shards = r#""timed_out":false,"_shards":{"total":1,"successful":1,"failed":0}"#;
    let body = format!(r#"{{{shards},"hits":{{"hits":[]}},"x":{}}}"#, tree());
    let json = || vec![("content-type", "application/json".to_owned())];
    let fake = server(move |_| Reply::Full(200, json(), body.clone().into_bytes())).await;
    let search = RawSearch { body: "{}".into(), pick: vec![("n".into(), "/hits/total".into())] };
    let error = fault(limited(&fake), &Question { ask: Ask::Search(search), ..question(&[]) }).await;
    assert_eq!(
        (&error.cause, error.class()),
        (&ErrorKind::MemoryTooLarge { max: 128 << 10 }, Class::TooLarge)
    );

    // One document with thousands of values.
    let values = format!("[{}0]", "1,".repeat(30_000));
    let hit = format!(r#"{{"_index":"x","_id":"1","fields":{{"host":{values}}},"sort":[1]}}"#);
    let body = format!(r#"{{{shards},"hits":{{"hits":[{hit}]}}}}"#);
    let fake = server(move |_| Reply::Full(200, json(), body.clone().into_bytes())).await;
    let error = fault(limited(&fake), &question(&["host"])).await;
    assert_eq!(
        (&error.cause, error.class()),
        (&ErrorKind::MemoryTooLarge { max: 64 << 10 }, Class::TooLarge)
    );

    // What no window makes smaller is not the rule's doing.
    let fake = Fake::start(move |_| Reply::Full(200, json(), tree().into_bytes())).await;
    let error = fault(limited(&fake), &question(&["host"])).await;
    assert!(matches!(error.cause, ErrorKind::Oversized { .. }), "{error}");
    assert_eq!(error.class(), Class::Outside);
    let view = Question { ask: Ask::Cluster(ClusterView::PendingTasks), ..question(&[]) };
    let error = fault(limited(&fake), &view).await;
    assert!(matches!(error.cause, ErrorKind::Oversized { .. }), "{error}");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Fake::start(|seen| match seen.path.contains("_field_caps") {
        true => Reply::Json(200, caps()),
        false => Reply::Json(200, envelope(vec![], json!({}))),
    })
    .await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("{}elsewhere?token=x", elsewhere.url.as_str().replace("//", "//user:pw@"));
        let fake = server(move |_| Reply::Full(status, vec![("location", to.clone())], vec![])).await;
        let error = fault(limited(&fake), &question(&["host"])).await;
        let to = format!("{}elsewhere", elsewhere.url);
        let said = format!(
            "redirected ({status}) to {to}, which is not followed; name the address that answers in `nodes`"
        );
        assert_eq!((error.cause.to_string(), error.class()), (said, Class::Outside));
    }
    assert!(elsewhere.lines().is_empty(), "{:?}", elsewhere.lines());
}

/// A response that says `text`, in one of six places.
fn echo(place: usize, text: &str) -> Reply {
    let html = vec![("content-type", "text/html".to_owned())];
    match place {
        0 => Reply::Json(401, json!({ "error": { "type": "x", "reason": text } })),
        1 => Reply::Json(400, json!({ "error": text })),
        2 => Reply::Full(502, html, text.into()),
        3 => Reply::Full(200, html, text.into()),
        4 => Reply::Full(302, vec![("location", format!("http://x/{text}"))], vec![]),
        5 => Reply::Json(200, json!({ "hits": text })),
        _ => {
            let failure = json!({ "reason": { "type": "x", "reason": text } });
            let shards = json!({ "total": 2, "successful": 1, "failed": 1, "failures": [failure] });
            Reply::Json(200, envelope(vec![], json!({ "_shards": shards })))
        }
    }
}

#[tokio::test]
async fn credentials_that_come_back_are_not_shown() {
    let forms = [
        KEY,
        "some-id:secret/key+01",
        "secret/key+01",
        "secret%2Fkey%2B01",
        r"secret\/key+01",
        "c2VjcmV0L2tleSswMQ==",
    ];
    for form in forms {
        // The second one is where a long text is cut.
        for text in [format!("bad credentials [{form}]"), format!("{} {form}", "x".repeat(290))] {
            for place in 0..=6 {
                let said = text.clone();
                let fake = server(move |_| echo(place, &said)).await;
                let config = ClusterConfig { auth: Auth::ApiKey(KEY.into()), ..limited(&fake) };
                let error = fault(config, &question(&["host"])).await.to_string();
                assert!(error.contains("[red") || error.contains("xxx"), "{place} {form}: {error}");
                assert!(!error.contains(&form[..5]), "{place} {form}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn a_pause_that_outlasts_every_clock_is_none() {
    let fake =
        server(|_| Reply::Full(503, vec![("retry-after", u64::MAX.to_string())], b"busy".into())).await;
    let config = ClusterConfig { retry_max: 1, ..limited(&fake) };
    let mut answer =
        Cluster::new(config).unwrap().ask(&target(), &question(&["host"]), deadline()).await.unwrap();
    let error = answer.next().await.unwrap_err();
    assert!(matches!(error.cause, ErrorKind::Deadline { last: Some(_) }), "{error}");
}
