//! Chat, mail and text messages on loopback, and what they heard.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::mail::server::{Received, Server, Tls};

/// A message, as its receiver has it.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) cause: String,
    /// The id of the intent, where the receiver gets it.
    pub(crate) intent: Option<String>,
    /// Whether it says that it may be a repetition, where it can say so.
    pub(crate) is_marked: Option<bool>,
    pub(crate) body: String,
}

pub(crate) struct Receivers {
    pub(crate) chat: HttpReceiver,
    pub(crate) sms: HttpReceiver,
    pub(crate) mail: Server,
    /// How many mails were taken.
    taken: Mutex<usize>,
}

/// Takes whatever is posted, as the API of text messages does.
pub(crate) struct HttpReceiver {
    pub(crate) url: String,
    got: Got,
}

type Got = Arc<Mutex<Vec<(HeaderMap, String)>>>;

impl Receivers {
    pub(crate) async fn start() -> Self {
        let mail = Server::start(Tls::None, []).await;
        Self {
            chat: HttpReceiver::start().await,
            sms: HttpReceiver::start().await,
            mail,
            taken: Mutex::new(0),
        }
    }

    /// What came since the last look, oldest first.
    pub(crate) fn take(&self) -> BTreeMap<&'static str, Vec<Heard>> {
        let all = self.heard();
        *self.taken.lock().unwrap() += all["mail"].len();
        self.chat.got.lock().unwrap().clear();
        self.sms.got.lock().unwrap().clear();
        all
    }

    /// What came since the last `take`, oldest first.
    pub(crate) fn heard(&self) -> BTreeMap<&'static str, Vec<Heard>> {
        let mails = self.mail.received().into_iter().skip(*self.taken.lock().unwrap());
        BTreeMap::from([
            ("chat", self.chat.got.lock().unwrap().iter().map(of_chat).collect()),
            ("mail", mails.map(|mail| of_mail(&mail)).collect()),
            ("sms", self.sms.got.lock().unwrap().iter().map(of_sms).collect()),
        ])
    }
}

impl HttpReceiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let got = Got::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&got));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, got }
    }
}

async fn take(State(got): State<Got>, headers: HeaderMap, body: String) -> (StatusCode, axum::Json<Value>) {
    let number = {
        let mut got = got.lock().unwrap();
        got.push((headers, body));
        got.len()
    };
    (StatusCode::CREATED, axum::Json(json!({ "sid": format!("SM{number:032}"), "status": "queued" })))
}

fn of_chat((headers, body): &(HeaderMap, String)) -> Heard {
    let message: Value = serde_json::from_str(body).expect("JSON");
    let text = |name: &str| message[name].as_str().map(str::to_owned);
    assert_eq!(headers["idempotency-key"].to_str().ok().map(str::to_owned), text("id"));
    Heard {
        cause: text("cause").expect("a cause"),
        intent: text("id"),
        is_marked: message["maybe_repeated"].as_bool(),
        body: body.clone(),
    }
}

/// Their titles begin with the cause.
fn of_sms((_, body): &(HeaderMap, String)) -> Heard {
    let form: BTreeMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let text = form["Body"].clone();
    Heard { cause: cause(&text), intent: None, is_marked: None, body: text }
}

fn of_mail(mail: &Received) -> Heard {
    let header = |name: &str| mail.message.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Heard {
        cause: cause(header("Subject:").expect("a subject")),
        intent: header("Message-ID:").map(str::to_owned),
        is_marked: None,
        body: mail.message.clone(),
    }
}

/// The cause that a text names, after what a product puts before its title.
fn cause(text: &str) -> String {
    let word =
        text.split(|c: char| !c.is_alphanumeric() && c != '-').find_map(|word| word.strip_prefix("cause-"));
    word.unwrap_or_else(|| panic!("no cause in {text}")).to_owned()
}
