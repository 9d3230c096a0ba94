//! A folder of `tests/cases/node`: `index.json`, `documents.ndjson`, `requests.json`, and `expected.json`, which holds what
//! the node answered when the real servers were last seen to agree.
//!
//! A request has a `name`, a `body`, and what its answer is judged by: `hits` compares what is shown of each, `status` is
//! the one expected, `approximate` names the field whose exact percentiles bound the answer, and `differs` says for a
//! server why it answers otherwise. `unmodelled` is what the node refuses and a server answers. `absent` in `index.json` says of a server why it cannot hold such an index at all. The
//! node follows the newest Elasticsearch.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::compare::extract;
use crate::servers::Server;

pub(crate) struct Case {
    pub(crate) name: String,
    folder: PathBuf,
    absent: Json,
    pub(crate) index: Json,
    pub(crate) documents: Vec<Json>,
    pub(crate) requests: Vec<Json>,
}

pub(crate) fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/node");
    let entries = std::fs::read_dir(&root).expect("tests/cases/node is there");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    folders.sort();
    folders.into_iter().map(Case::read).collect()
}

impl Case {
    fn read(folder: PathBuf) -> Self {
        let read = |file: &str| {
            let path = folder.join(file);
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        let json = |file: &str, text: &str| -> Json {
            serde_json::from_str(text).unwrap_or_else(|e| panic!("{}/{file}: {e}", folder.display()))
        };
        let documents = read("documents.ndjson");
        let requests = json("requests.json", &read("requests.json"));
        let mut index = json("index.json", &read("index.json"));
        let absent = index.as_object_mut().and_then(|index| index.remove("absent")).unwrap_or_default();
        Self {
            absent,
            index,
            name: folder.file_name().expect("a folder has a name").to_string_lossy().into_owned(),
            documents: documents.lines().map(|line| json("documents.ndjson", line)).collect(),
            requests: requests.as_array().expect("a list of requests").clone(),
            folder,
        }
    }

    /// Whether a server cannot hold the index.
    pub(crate) fn lacks(&self, server: &str) -> bool {
        self.absent[server].is_string()
    }

    pub(crate) fn name_of(request: &Json) -> &str {
        request["name"].as_str().expect("a request has a name")
    }

    pub(crate) fn bulk(&self) -> String {
        let lines = self.documents.iter().map(|document| {
            format!("{}\n{}\n", json!({"index": {"_id": document["_id"]}}), document["_source"])
        });
        lines.collect()
    }

    /// Loads the case into a server and asks everything; answers by the request's name.
    pub(crate) async fn ask(&self, server: &Server) -> BTreeMap<String, Json> {
        let index = format!("wb-node-{}", self.name);
        server.load(&index, &self.index, &self.bulk()).await;
        let mut answers = BTreeMap::new();
        for request in &self.requests {
            let path = match request["path"].as_str() {
                Some(path) => path.to_owned(),
                None => format!("/{index}/_search{}", request["parameters"].as_str().unwrap_or_default()),
            };
            let (status, body) = server.send(Method::POST, &path, request["body"].to_string()).await;
            let name = Self::name_of(request).to_owned();
            let old = answers.insert(name.clone(), extract(request, status, &body));
            assert!(old.is_none(), "{} has two requests named `{name}`", self.name);
        }
        server.drop_index(&index).await;
        answers
    }

    pub(crate) fn expected(&self) -> Json {
        let golden = self.folder.join("expected.json");
        serde_json::from_str(&std::fs::read_to_string(&golden).unwrap_or_default())
            .unwrap_or_else(|e| panic!("{}: {e}; BLESS=1 writes it", golden.display()))
    }

    pub(crate) fn bless(&self, answers: &BTreeMap<String, Json>) {
        let names = self.requests.iter().map(Self::name_of);
        let lines: Vec<String> =
            names.map(|name| format!("  {}: {}", Json::from(name), answers[name])).collect();
        let golden = self.folder.join("expected.json");
        std::fs::write(&golden, format!("{{\n{}\n}}\n", lines.join(",\n")))
            .unwrap_or_else(|e| panic!("{}: {e}", golden.display()));
    }
}
