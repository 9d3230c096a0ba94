//! One alerter for every product that receives messages over HTTP. A product is a folder of data under `products/`;
//! this code knows none of them by name.
mod products; // the list of products
mod product; // the definition of one product
mod context; // the names that templates may use
mod calendar; // instants as people and HTTP write them
mod bounded; // values of at most so many bytes
mod sms; // text messages of at most so many segments
mod escape; // values as data in each markup
mod plain; // texts without their markup
mod template; // one template string: minijinja, typed
mod json_template; // a JSON tree of templates, whose structure no value can change
mod request; // builds a request
mod answer; // what the receiver's answer means
mod deliver; // sends the requests of a message

use std::collections::BTreeSet;

use serde_json::Value as Json;
use watchbell_sdk::{AlertRefusal, Alerter, Fault, Intent, Product, Receipt};

use context::Context;
use json_template::JsonTemplate;

pub struct AlerterHttp;

#[watchbell_sdk::alerter(name = "http")]
impl Alerter for AlerterHttp {
    fn products() -> Vec<Product> {
        products::names().filter_map(|name| Some(products::find(name).ok()?.product(name))).collect()
    }

    fn prepare(product: &str, params: &str) -> Result<(), Vec<Fault>> {
        let whole = |message: String| vec![Fault::new("", message)];
        let spec = products::find(product).map_err(whole)?;
        let params: Json =
            serde_json::from_str(params).map_err(|error| whole(format!("not JSON: {error}")))?;
        let mut faults = BTreeSet::new();
        for (pointer, template) in spec.templates(&params) {
            JsonTemplate::from_params(template).check(pointer, &mut faults);
        }
        if let Some((body, form)) = spec.clash(&params) {
            faults.insert((form.to_owned(), format!("`form` replaces `{body}`: set only one of them")));
        }
        for request in &spec.requests {
            if let Err(message) = spec.answers(request, &params) {
                faults.insert(("/answers".to_owned(), message));
            }
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(faults.into_iter().map(|(path, message)| Fault::new(path, message)).collect())
    }

    fn deliver(product: &str, params: &str, intent: Intent) -> Result<Receipt, AlertRefusal> {
        let spec = products::find(product).map_err(AlertRefusal::refused)?;
        let params: Json = serde_json::from_str(params)
            .map_err(|error| AlertRefusal::refused(format!("the parameters are not JSON: {error}")))?;
        deliver::deliver(product, &spec, &params, &Context::of(&intent, &params, &spec.texts()))
    }
}
