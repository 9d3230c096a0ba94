//! Alerters in Python, which do not run here.
use super::destination::Destination;
use crate::secrets::{Secrets, snake};

/// A destination in the place of a class, named after it. What the class does is for people to say.
pub(crate) fn stand_in(class: &str, secrets: &mut Secrets) -> Destination {
    let name = words(class.rsplit('.').next().unwrap_or(class));
    let variable = format!("{}_URL", snake(&name));
    // Classes of one name may be of different modules.
    let what = format!("an address that replaces the Python alerter `{class}`");
    let (_, url) = secrets.of_file(&variable, class, &what);
    Destination::new("webhook", url).about(Some(&name))
}

/// `MyAlerter` as `my-alerter`.
fn words(class: &str) -> String {
    let mut out = String::new();
    let mut before = None;
    for c in class.chars() {
        if c.is_uppercase() && before.is_some_and(|before: char| !before.is_uppercase()) {
            out.push('-');
        }
        out.extend(c.to_lowercase());
        before = Some(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{stand_in, words};
    use crate::secrets::Secrets;

    #[test]
    fn each_class_has_an_address_of_its_own() {
        let mut secrets = Secrets::default();
        let mut url = |class: &str| format!("{:?}", stand_in(class, &mut secrets).written("python").1);
        let (one, other) = (url("a.Alerter"), url("b.Alerter"));
        assert_ne!(one, other);
        assert_eq!(one, url("a.Alerter"));
    }

    #[test]
    fn a_class_is_named_in_words() {
        for (class, name) in [("MyAlerter", "my-alerter"), ("SMSAlerter2Go", "smsalerter2-go"), ("x", "x")] {
            assert_eq!(words(class), name);
        }
    }
}
