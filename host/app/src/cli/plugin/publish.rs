//! Signs modules and exchanges them with registries.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use watchbell_plugin_tools::registry::{self, Access, Parcel, Reference, Store};
use watchbell_plugin_tools::signature::{self, SigningKey};

use super::super::{Colour, Failure, paint, plain, print};
use super::look::Module;
use super::{sandbox, size};

pub(super) fn sign(file: &Path, key: &Path) -> Result<(), Failure> {
    let key = SigningKey::read(key)?;
    // A module that no host would accept must not be signed.
    let module = Module::read(file, &sandbox()?)?;
    let mut signatures = signature::read_beside(file)?;
    add(&mut signatures, &module.inspection().digest, &key);
    let beside = signature::beside(file);
    fs::write(&beside, format!("{signatures}\n"))
        .with_context(|| format!("cannot write `{}`", beside.display()))?;
    let ok = paint("ok", Colour::Green);
    print(&format!("{ok}: {}\n  key      {}", plain(&beside.display().to_string()), key.public()))
}

/// Adds a signature, unless this key has already signed the module.
fn add(signatures: &mut String, digest: &str, key: &SigningKey) {
    let trimmed = signatures.trim().len();
    signatures.truncate(trimmed);
    if signature::signers(signatures, digest).contains(&key.public()) {
        return;
    }
    if !signatures.is_empty() {
        signatures.push(' ');
    }
    signatures.push_str(&key.sign(digest));
}

pub(super) fn push(file: &Path, reference: &str, keys: &[PathBuf], plain_http: bool) -> Result<(), Failure> {
    let to = Reference::parse(reference)?;
    if to.digest().is_some() {
        return Err(anyhow!(
            "`{to}` names a digest, but the registry computes the digest: name a tag instead"
        )
        .into());
    }
    let keys: Vec<SigningKey> = keys.iter().map(|key| SigningKey::read(key)).collect::<Result<_, _>>()?;
    let bytes = crate::catalog::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let module = Module::load(&file.display().to_string(), &bytes, &sandbox()?)?;
    let inspection = module.inspection();
    let mut signatures = signature::read_beside(file)?.split_whitespace().collect::<Vec<_>>().join(" ");
    for key in &keys {
        add(&mut signatures, &inspection.digest, key);
    }
    let (title, version) = module.name();
    let description = module.sentence();
    let parcel = Parcel {
        bytes: &bytes,
        imports: &inspection.imports,
        exports: &inspection.exports,
        title,
        version,
        description: &description,
        signatures: &signatures,
    };
    let pushed = registry::push(&to, parcel, Access { plain_http })?;
    let signers = signature::signers(&signatures, &inspection.digest);
    tell(&to, &pushed.pinned, &inspection.digest, inspection.bytes, &signers)
}

pub(super) fn pull(reference: &str, out: Option<&Path>, plain_http: bool) -> Result<(), Failure> {
    let from = Reference::parse(reference)?;
    let folder = crate::catalog::cache_folder("registry")
        .ok_or_else(|| anyhow!("there is no cache folder: set XDG_CACHE_HOME or HOME"))?;
    let pulled = registry::pull(&from, &Store::new(folder), Access { plain_http })?;
    let module = &pulled.module;
    if let Some(out) = out {
        fs::write(out, &module.bytes).with_context(|| format!("cannot write `{}`", out.display()))?;
        if !module.signatures.is_empty() {
            let beside = signature::beside(out);
            fs::write(&beside, format!("{}\n", module.signatures))
                .with_context(|| format!("cannot write `{}`", beside.display()))?;
        }
    }
    tell(&from, &pulled.pinned, &module.digest, module.bytes.len(), &module.signers)
}

fn tell(
    named: &Reference,
    pinned: &Reference,
    digest: &str,
    bytes: usize,
    signers: &[String],
) -> Result<(), Failure> {
    let ok = paint("ok", Colour::Green);
    let signed = if signers.is_empty() { "no".to_owned() } else { plain(&signers.join(", ")) };
    // Everything here was parsed or computed; nothing is printed as the registry sent it.
    print(&format!(
        "{ok}: {named}\n  use      {pinned}\n  sha256   {digest}\n  size     {}\n  signed   {signed}",
        size(bytes)
    ))
}
