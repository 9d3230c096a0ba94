use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
        server::WebPkiClientVerifier,
    },
};
use watchbell_elastic::{Auth, Cluster, ClusterConfig, ConfigError, ErrorKind};

use crate::{
    config,
    fake::{Fake, Reply, Seen},
    library::{caps, envelope},
    pages, question,
};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::new(vec![name.into()]).unwrap().signed_by(&key, &self.0).unwrap(), key)
    }

    async fn server(&self, asks_for_certificates: bool) -> Fake {
        self.serving(asks_for_certificates, nothing).await
    }

    async fn serving(
        &self,
        asks_for_certificates: bool,
        handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Fake {
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match asks_for_certificates {
            false => builder.with_no_client_auth(),
            true => {
                let roots = Arc::new(self.roots());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let (certificate, key) = self.issue("localhost");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        Fake::behind(Some(TlsAcceptor::from(Arc::new(config))), Arc::new(handler)).await
    }
}

fn nothing(seen: &Seen) -> Reply {
    match seen.path.contains("_field_caps") {
        true => Reply::Json(200, caps()),
        false => Reply::Json(200, envelope(vec![], serde_json::json!({}))),
    }
}

async fn asked(config: ClusterConfig) -> Result<(), ErrorKind> {
    let question = question(&["host"]);
    pages(&Cluster::new(config).unwrap(), &question)
        .await
        .map(|pages| assert_eq!(pages, []))
        .map_err(|error| error.cause)
}

#[tokio::test]
async fn only_a_trusted_authority_is_believed() {
    let authority = Authority::new();
    let fake = authority.server(false).await;
    let mut config = config(&[&fake]);
    config.retry_max = 0;
    let error = asked(config.clone()).await.unwrap_err();
    assert!(matches!(&error, ErrorKind::Connect { reason, .. } if reason.contains("certificate")), "{error}");
    config.ca = Some(Authority::new().pem());
    assert!(
        matches!(asked(config.clone()).await, Err(ErrorKind::Connect { .. })),
        "another authority is not trusted"
    );
    config.ca = Some(authority.pem());
    asked(config).await.unwrap();
}

#[tokio::test]
async fn nothing_leads_from_https_to_http() {
    let authority = Authority::new();
    let plain = Fake::start(nothing).await;
    let to = plain.url.to_string();
    let fake =
        authority.serving(false, move |_| Reply::Full(307, vec![("location", to.clone())], vec![])).await;
    let mut config = config(&[&fake]);
    config.ca = Some(authority.pem());
    let error = asked(config).await.unwrap_err();
    assert_eq!(error, ErrorKind::Redirect { status: 307, to: plain.url.to_string() });
    assert!(plain.lines().is_empty(), "{:?}", plain.lines());
}

#[tokio::test]
async fn a_client_certificate_opens_the_door_beside_a_key() {
    let authority = Authority::new();
    let fake = authority.server(true).await;
    let mut config = config(&[&fake]);
    (config.retry_max, config.ca) = (0, Some(authority.pem()));
    asked(config.clone()).await.unwrap_err();
    let (certificate, key) = authority.issue("watchbell");
    config.client_identity = Some(format!("{}{}", certificate.pem(), key.serialize_pem()).into_bytes());
    config.auth = Auth::ApiKey("aWQ6a2V5".into());
    asked(config).await.unwrap();
    assert!(fake.seen().iter().all(|seen| seen.headers["authorization"] == "ApiKey aWQ6a2V5"));
}

#[tokio::test]
async fn credentials_are_sent_as_their_kind_wants() {
    let basic = Auth::Basic { user: "elastic".into(), password: "pass:word".into() };
    let kinds = [
        (Auth::None, None),
        (basic, Some("Basic ZWxhc3RpYzpwYXNzOndvcmQ=")),
        (Auth::ApiKey("abc=".into()), Some("ApiKey abc=")),
        (Auth::Bearer("t0ken".into()), Some("Bearer t0ken")),
    ];
    for (auth, expected) in kinds {
        let fake = Fake::start(nothing).await;
        let mut config = config(&[&fake]);
        config.auth = auth;
        asked(config).await.unwrap();
        let seen = fake.seen();
        assert_eq!(seen[1].headers.get("authorization").map(String::as_str), expected);
        assert_eq!(seen[1].headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn answers_are_compressed_if_wanted() {
    // `gzip -n` of `{"_shards":{"total":1,"failed":0},"timed_out":false,"hits":{"hits":[]}}`, stored.
    let plain = br#"{"_shards":{"total":1,"failed":0},"timed_out":false,"hits":{"hits":[]}}"#;
    let packed = stored(plain);
    let fake = Fake::start(move |seen| {
        if seen.path.contains("_field_caps") {
            return Reply::Json(200, caps());
        }
        match seen.headers.get("accept-encoding").is_some_and(|accepted| accepted.contains("gzip")) {
            true => Reply::Full(
                200,
                vec![("content-type", "application/json".into()), ("content-encoding", "gzip".into())],
                packed.clone(),
            ),
            false => Reply::Full(200, vec![], plain.to_vec()),
        }
    })
    .await;
    let mut config = config(&[&fake]);
    asked(config.clone()).await.unwrap();
    assert_eq!(fake.seen()[1].headers["accept-encoding"], "identity");
    config.gzip = true;
    asked(config).await.unwrap();
    assert!(fake.seen()[3].headers["accept-encoding"].contains("gzip"));
}

/// A gzip member whose one block is not compressed.
fn stored(plain: &[u8]) -> Vec<u8> {
    let crc = plain.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    });
    let length = plain.len() as u16;
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(plain);
    packed.extend((!crc).to_le_bytes());
    packed.extend(u32::from(length).to_le_bytes());
    packed
}

#[test]
fn what_is_no_certificate_is_told_before_anything_is_sent() {
    let config = ClusterConfig::new("main", vec!["https://localhost:1".parse().unwrap()]);
    let ca = ClusterConfig { ca: Some(b"no pem".into()), ..config.clone() };
    assert!(matches!(Cluster::new(ca), Err(ConfigError::Ca { .. })));
    let identity = ClusterConfig { client_identity: Some(b"no pem".into()), ..config.clone() };
    assert!(matches!(Cluster::new(identity), Err(ConfigError::Identity { .. })));
    let credentials = ClusterConfig { auth: Auth::Bearer("a\nb".into()), ..config };
    let error = Cluster::new(credentials).unwrap_err().to_string();
    assert_eq!(error, "cluster `main`: the credentials contain characters that are not allowed in a header");
}
