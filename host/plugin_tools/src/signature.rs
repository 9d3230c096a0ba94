//! Ed25519 signatures of a module's digest, in a file beside it or in a registry's manifest.
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// Signed with the digest, so that a signature is valid for modules only.
const CONTEXT: &str = "watchbell module v1\n";
/// The most signatures of one module that are checked.
const SIGNATURES_MAX: usize = 32;
/// A file of signatures or a key file, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
const HOW_TO_MAKE_ONE: &str = "create one with `openssl genpkey -algorithm ed25519 -out FILE`";

#[derive(Debug, thiserror::Error)]
pub enum SignatureFault {
    #[error("the key `{}` cannot be read: {HOW_TO_MAKE_ONE}", .path.display())]
    ReadKey { path: PathBuf, source: io::Error },
    #[error("`{}` does not contain an Ed25519 private key in PEM format: {HOW_TO_MAKE_ONE}", .0.display())]
    NoKey(PathBuf),
    #[error("`{}` cannot be read", .path.display())]
    Read { path: PathBuf, source: io::Error },
}

/// A private key.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Reads a PKCS#8 key in PEM, as OpenSSL writes it.
    ///
    /// # Errors
    /// There is none.
    pub fn read(path: &Path) -> Result<Self, SignatureFault> {
        let text = read(path).map_err(|source| SignatureFault::ReadKey { path: path.to_owned(), source })?;
        let none = || SignatureFault::NoKey(path.to_owned());
        let (_, rest) = text.split_once("-----BEGIN PRIVATE KEY-----").ok_or_else(none)?;
        let (body, _) = rest.split_once("-----END PRIVATE KEY-----").ok_or_else(none)?;
        let body: String = body.split_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| none())?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Self).map_err(|_| none())
    }

    /// What an environment lists under `plugins.keys`: the 32 bytes in base64.
    pub fn public(&self) -> String {
        STANDARD.encode(self.0.public_key())
    }

    /// Signs the module whose SHA-256 in hexadecimal is `digest`: `ed25519:KEY:SIGNATURE`.
    pub fn sign(&self, digest: &str) -> String {
        let signature = self.0.sign(message(digest).as_bytes());
        format!("ed25519:{}:{}", self.public(), STANDARD.encode(signature))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

/// The keys, in base64, with a valid signature in `text` for the module with this digest. Malformed and invalid
/// signatures are ignored.
pub fn signers(text: &str, digest: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for word in text.split_whitespace().take(SIGNATURES_MAX) {
        let mut parts = word.split(':');
        let (Some("ed25519"), Some(key), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (Ok(key_bytes), Ok(signature)) = (STANDARD.decode(key), STANDARD.decode(signature)) else {
            continue;
        };
        let holds = UnparsedPublicKey::new(&ED25519, key_bytes)
            .verify(message(digest).as_bytes(), &signature)
            .is_ok();
        if holds && !keys.iter().any(|known| known == key) {
            keys.push(key.to_owned());
        }
    }
    keys
}

/// The file with a module's signatures: `x.wasm.sig`.
pub fn beside(module: &Path) -> PathBuf {
    let mut name = module.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// The signatures beside a module's file; empty where there is no such file.
///
/// # Errors
/// It exists but cannot be read.
pub fn read_beside(module: &Path) -> Result<String, SignatureFault> {
    let path = beside(module);
    match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(SignatureFault::Read { path, source }),
        text => Ok(text.unwrap_or_default()),
    }
}

fn read(path: &Path) -> io::Result<String> {
    Ok(watchbell_outside::read_text(path, FILE_BYTES_MAX)?)
}

fn message(digest: &str) -> String {
    format!("{CONTEXT}{digest}\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The seed of RFC 8032, 7.1, test 1, as OpenSSL writes a key.
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----\n";
    const DIGEST: &str = "f6c0d945dc8a9e01854484f4e9b123945919e553778d4386d1d939451c038a0c";

    fn key() -> SigningKey {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("key.pem");
        fs::write(&path, KEY).unwrap();
        SigningKey::read(&path).unwrap()
    }

    #[test]
    fn a_key_of_openssl_signs_and_its_public_half_is_told() {
        let key = key();
        // The public key that the RFC gives for it, and OpenSSL too.
        assert_eq!(key.public(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        assert_eq!(signers(&key.sign(DIGEST), DIGEST), [key.public()]);
    }

    #[test]
    fn what_was_signed_for_another_module_vouches_for_nothing() {
        let signature = key().sign(DIGEST);
        let other = DIGEST.replace('f', "e");
        assert!(signers(&signature, &other).is_empty());
        let (head, bytes) = signature.rsplit_once(':').unwrap();
        let other = if bytes.starts_with('A') { 'B' } else { 'A' };
        assert!(signers(&format!("{head}:{other}{}", &bytes[1..]), DIGEST).is_empty());
        for text in ["", "ed25519", "ed25519::", "rsa:AAAA:AAAA", "ed25519:!!:!!", "ed25519:AAAA:AAAA"] {
            assert!(signers(text, DIGEST).is_empty(), "{text}");
        }
        // Several stand side by side; one that holds is enough, and counts once.
        let several = format!("ed25519:AAAA:AAAA {signature}\n{signature}");
        assert_eq!(signers(&several, DIGEST), [key().public()]);
    }

    #[test]
    fn a_missing_key_comes_with_how_to_make_one() {
        let told = SigningKey::read(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(told.contains("openssl genpkey"), "{told}");
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("key.pem");
        fs::write(&path, KEY.replace("MC4C", "MC4D")).unwrap();
        assert!(matches!(SigningKey::read(&path), Err(SignatureFault::NoKey(_))));
    }

    #[test]
    fn signatures_lie_beside_the_file() {
        let scratch = tempfile::tempdir().unwrap();
        let module = scratch.path().join("x.wasm");
        assert_eq!(read_beside(&module).unwrap(), "");
        fs::write(beside(&module), "words").unwrap();
        assert_eq!(read_beside(&module).unwrap(), "words");
        assert!(beside(&module).ends_with("x.wasm.sig"));
    }
}
