//! A module's manifest in a registry: the CNCF's Wasm OCI artifact.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
const LAYER_TYPE: &str = "application/wasm";
/// Layer types of older tools.
const LAYER_TYPES: [&str; 2] = [LAYER_TYPE, "application/vnd.wasm.content.layer.v1+wasm"];
/// The annotation with the module's signatures, separated by spaces.
const SIGNATURES: &str = "dev.watchbell.signatures";
/// The largest module.
pub(super) const MODULE_BYTES_MAX: u64 = 64 << 20;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    schema_version: u8,
    media_type: Option<String>,
    pub(super) config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
}

/// A module's configuration, for people who inspect a registry.
#[derive(Clone, Debug)]
pub(super) struct Described<'a> {
    /// SHA-256 of the module, in hexadecimal.
    pub(super) digest: &'a str,
    pub(super) bytes: usize,
    pub(super) imports: &'a [String],
    pub(super) exports: &'a [String],
    pub(super) title: &'a str,
    pub(super) version: &'a str,
    pub(super) description: &'a str,
    pub(super) signatures: &'a str,
}

/// The configuration of a module, as bytes.
pub(super) fn config(of: &Described<'_>) -> Vec<u8> {
    let config = json!({
        "architecture": "wasm",
        // It does not use WASI: the component lists its imports.
        "os": "wasip2",
        "layerDigests": [format!("sha256:{}", of.digest)],
        "component": { "exports": of.exports, "imports": of.imports },
    });
    config.to_string().into_bytes()
}

/// The manifest of both, as bytes: the same for the same module, because it has no timestamp.
pub(super) fn manifest(of: &Described<'_>, config: &[u8], config_digest: &str) -> Vec<u8> {
    let mut annotations = BTreeMap::new();
    for (name, value) in [
        ("org.opencontainers.image.title", of.title),
        ("org.opencontainers.image.version", of.version),
        ("org.opencontainers.image.description", of.description),
        (SIGNATURES, of.signatures),
    ] {
        if !value.is_empty() {
            annotations.insert(name.to_owned(), value.to_owned());
        }
    }
    let descriptor = |media_type: &str, digest: &str, size: usize| Descriptor {
        media_type: media_type.to_owned(),
        digest: format!("sha256:{digest}"),
        size: size as u64,
    };
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST_TYPE.to_owned()),
        config: descriptor(CONFIG_TYPE, config_digest, config.len()),
        layers: vec![descriptor(LAYER_TYPE, of.digest, of.bytes)],
        annotations,
    };
    serde_json::to_vec(&manifest).unwrap_or_default()
}

/// The module that a manifest refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// SHA-256 in hexadecimal.
    pub(super) digest: String,
    pub(super) bytes: u64,
    pub(super) signatures: String,
}

/// # Errors
/// Why the manifest has no usable module.
pub(super) fn read(manifest: &[u8]) -> Result<Layer, String> {
    // The parser's own words would quote the registry's in an escape that no scrubber knows.
    let manifest: Manifest = serde_json::from_slice(manifest).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("its manifest is not an artifact manifest (line {line}, column {column})")
    })?;
    let [layer] = &*manifest.layers else {
        return Err(format!("it has {} layers; a module has one", manifest.layers.len()));
    };
    if !LAYER_TYPES.contains(&&*layer.media_type) {
        return Err(format!("its layer is `{}`, not `{LAYER_TYPE}`", layer.media_type));
    }
    if layer.size > MODULE_BYTES_MAX {
        return Err(format!("it has {} bytes; a module has at most 64 MiB", layer.size));
    }
    let is_hex = |hex: &&str| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(digest) = layer.digest.strip_prefix("sha256:").filter(is_hex) else {
        return Err(format!("its layer's digest `{}` is not SHA-256", layer.digest));
    };
    Ok(Layer {
        digest: digest.to_lowercase(),
        bytes: layer.size,
        signatures: manifest.annotations.get(SIGNATURES).cloned().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "f6c0d945dc8a9e01854484f4e9b123945919e553778d4386d1d939451c038a0c";

    fn described(signatures: &str) -> Described<'_> {
        Described {
            digest: HEX,
            bytes: 7,
            imports: &[],
            exports: &[],
            title: "burst",
            version: "0.1.0",
            description: "",
            signatures,
        }
    }

    #[test]
    fn a_module_is_found_in_its_own_manifest() {
        let of = described("ed25519:A:B");
        let config = config(&of);
        let manifest = manifest(&of, &config, HEX);
        let expected = Layer { digest: HEX.into(), bytes: 7, signatures: "ed25519:A:B".into() };
        assert_eq!(read(&manifest), Ok(expected));
        let text = String::from_utf8(manifest).unwrap();
        assert!(text.contains(r#""mediaType":"application/vnd.wasm.config.v0+json""#), "{text}");
        assert!(text.contains(r#""mediaType":"application/wasm""#), "{text}");
    }

    #[test]
    fn what_holds_no_module_is_told() {
        let of = described("");
        let good = String::from_utf8(manifest(&of, b"{}", HEX)).unwrap();
        let other = good.replace("application/wasm", "application/vnd.oci.image.layer.v1.tar");
        assert!(read(other.as_bytes()).unwrap_err().contains("not `application/wasm`"));
        let large = good.replace("\"size\":7", "\"size\":67108865");
        assert!(read(large.as_bytes()).unwrap_err().contains("64 MiB"));
        let strange = good
            .replace(&format!("\"digest\":\"sha256:{HEX}\",\"size\":7"), "\"digest\":\"../x\",\"size\":7");
        assert!(read(strange.as_bytes()).unwrap_err().contains("not SHA-256"));
        assert!(read(b"{}").unwrap_err().contains("not an artifact manifest"));
    }
}
