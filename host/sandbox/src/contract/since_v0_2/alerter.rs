//! An alerter of the contract 0.2.
use futures::FutureExt;
use futures::future::BoxFuture;
use wasmtime::component::InstancePre;
use wasmtime::{Result, Store};
use watchbell_contract::{AlerterAbout, Fault, Intent, Receipt, Refusal};

use super::bindings::AlerterComponent;
use super::bindings::alerter::AlerterComponentPre;
use super::convert;
use crate::contract::exports::{AlerterExports, AlerterInstance};
use crate::guest::Guest;

pub(super) fn exports(pre: InstancePre<Guest>) -> Result<Box<dyn AlerterExports>> {
    Ok(Box::new(AlerterComponentPre::new(pre)?))
}

impl AlerterExports for AlerterComponentPre<Guest> {
    fn instantiate<'a>(
        &'a self,
        store: &'a mut Store<Guest>,
    ) -> BoxFuture<'a, Result<Box<dyn AlerterInstance>>> {
        async move { Ok(Box::new(self.instantiate_async(store).await?) as Box<dyn AlerterInstance>) }.boxed()
    }
}

impl AlerterInstance for AlerterComponent {
    fn describe<'a>(&'a self, store: &'a mut Store<Guest>) -> BoxFuture<'a, Result<AlerterAbout>> {
        let alerter = self.watchbell_plugin_alerter();
        async move { alerter.call_describe(store).await.map(convert::alerter_about) }.boxed()
    }

    fn prepare<'a>(
        &'a self,
        store: &'a mut Store<Guest>,
        product: &'a str,
        params: &'a str,
    ) -> BoxFuture<'a, Result<Result<(), Vec<Fault>>>> {
        let alerter = self.watchbell_plugin_alerter();
        async move {
            let destination = convert::destination(product, params);
            Ok(alerter.call_prepare(store, &destination).await?.map_err(convert::faults))
        }
        .boxed()
    }

    fn deliver<'a>(
        &'a self,
        store: &'a mut Store<Guest>,
        product: &'a str,
        params: &'a str,
        intent: &'a Intent,
    ) -> BoxFuture<'a, Result<Result<Receipt, Refusal>>> {
        let alerter = self.watchbell_plugin_alerter();
        async move {
            let delivery = convert::delivery(product, params, intent);
            let delivered = alerter.call_deliver(store, &delivery).await?;
            Ok(delivered.map(convert::receipt).map_err(convert::refusal))
        }
        .boxed()
    }
}
