//! What registries answer: manifests and challenges; and how modules are named.
use watchbell_plugin_tools::registry::{Reference, fuzzing};

/// Reads an input as each of them.
pub fn registry(input: &[u8]) {
    match fuzzing::manifest(input) {
        Ok(layer) => {
            assert!(layer.bytes <= fuzzing::MODULE_BYTES_MAX);
            // The digest becomes part of a path, and of a URL.
            let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            assert!(layer.digest.len() == 64 && layer.digest.bytes().all(is_digit), "{}", layer.digest);
        }
        Err(why) => assert!(!why.is_empty()),
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    for name in ["realm", "service", "scope"] {
        if let Some(value) = fuzzing::parameter(text, name) {
            assert!(text.contains(&value));
        }
    }
    if let Ok(reference) = Reference::parse(text) {
        let again = Reference::parse(&reference.to_string());
        assert_eq!(again.as_ref(), Ok(&reference), "{reference}");
        let place = reference.place();
        let (_, repository) = place.split_once('/').expect("a host and a repository");
        assert!(repository.split('/').all(|word| !word.contains("..")), "{reference}");
    }
}
