//! Guests that misbehave, one sin each (`examples/`), to try the sandbox with. Every one sins only when its parameters
//! say so: the same module must run unharmed before and after.
#![allow(unreachable_pub, reason = "what macros use")]

/// A rule with the parameter `sin`. Without it, every row becomes a signal.
#[macro_export]
macro_rules! rule {
    ($name:literal, $state:ty, |$row:ident, $kept:ident, $out:ident| $sin:block) => {
        #[derive(serde::Deserialize, schemars::JsonSchema)]
        struct Guest {
            sin: bool,
        }

        #[watchbell_sdk::rule(name = $name, summary = "A guest of the sandbox's tests")]
        impl watchbell_sdk::Rule for Guest {
            type State = $state;

            fn plan(
                &self,
                _: &watchbell_sdk::Context,
            ) -> Result<watchbell_sdk::Plan, Vec<watchbell_sdk::Fault>> {
                Ok(watchbell_sdk::Plan::rows(watchbell_sdk::Duration::ZERO))
            }

            #[allow(
                unused_variables,
                unreachable_code,
                reason = "most sins need little, and some never return"
            )]
            fn row(
                &self,
                $row: &watchbell_sdk::Row<'_>,
                $kept: &mut Self::State,
                $out: &mut watchbell_sdk::Signals,
            ) {
                if self.sin {
                    $sin
                } else {
                    let signal = watchbell_sdk::Signal::event($row.labels(), $row.time());
                    $out.push(signal.summary("harmless"));
                }
            }
        }
    };
}

/// An alerter whose product has the guest's name.
#[macro_export]
macro_rules! alerter {
    ($name:literal, |$intent:ident| $deliver:block) => {
        struct Guest;

        #[watchbell_sdk::alerter(name = $name)]
        impl watchbell_sdk::Alerter for Guest {
            fn products() -> Vec<watchbell_sdk::Product> {
                vec![watchbell_sdk::Product::new($name, "A guest of the sandbox's tests")]
            }

            fn prepare(_product: &str, _params: &str) -> Result<(), Vec<watchbell_sdk::Fault>> {
                Ok(())
            }

            fn deliver(
                _product: &str,
                _params: &str,
                $intent: watchbell_sdk::Intent,
            ) -> Result<watchbell_sdk::Receipt, watchbell_sdk::AlertRefusal> {
                $deliver
            }
        }
    };
}

/// What an ordinary alerter makes of an answer: success is a receipt with the body's size, all else a refusal.
pub fn judged(
    response: &watchbell_sdk::http::Response,
) -> Result<watchbell_sdk::Receipt, watchbell_sdk::AlertRefusal> {
    if response.is_success() {
        return Ok(watchbell_sdk::Receipt { reference: Some(format!("{} bytes", response.body.len())) });
    }
    Err(watchbell_sdk::AlertRefusal::refused(format!("the receiver answered {}", response.status)))
}
