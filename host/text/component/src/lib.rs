//! The component that renders texts: the crate `watchbell-text` behind one function. The host runs it in its sandbox, so
//! that a template or a document costs nobody else time or memory.
use watchbell_text::Job;

mod wire {
    #![allow(missing_docs, unreachable_pub, unsafe_code, clippy::all, reason = "generated")]
    use super::Texts;

    wit_bindgen::generate!({ path: "wit", world: "texts" });
    export!(Texts);
}

struct Texts;

impl wire::Guest for Texts {
    fn render(job: Vec<u8>) -> Vec<u8> {
        Job::decode(&job).map(|job| job.render().encode()).unwrap_or_default()
    }
}
