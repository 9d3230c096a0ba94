//! Push and pull: the few requests of the OCI distribution specification that a module needs.
//!
//! The `oci-client` crate could do this too, but it enables features of crates below wasmtime, which every build of the
//! workspace would pay for, or brings a second HTTP stack in its newer versions.
use std::future::Future;
use std::thread;

use sha2::{Digest, Sha256};

use super::access::{Access, RegistryFault, WAIT_MAX};
use super::artifact::{self, Described, MANIFEST_TYPE};
use super::reference::Reference;
use super::session::{Kind, Session};
use super::store::{Module, Store};

/// A manifest; a module's has a few hundred bytes.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// A published module.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// By digest, as a manifest may name it.
    pub pinned: Reference,
}

/// A module that was fetched, or was in the store.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// By digest, as a manifest may name it.
    pub pinned: Reference,
    pub module: Module,
}

/// What is pushed.
#[derive(Clone, Copy, Debug)]
pub struct Parcel<'a> {
    pub bytes: &'a [u8],
    pub imports: &'a [String],
    pub exports: &'a [String],
    pub title: &'a str,
    pub version: &'a str,
    pub description: &'a str,
    /// Signatures, separated by spaces; may be empty.
    pub signatures: &'a str,
}

/// Pushes a module under a tag (`latest` by default). Blocks until it is done; may be called from any thread.
///
/// # Errors
/// The registry's error, or why it could not be reached.
pub fn push(to: &Reference, parcel: Parcel<'_>, access: Access) -> Result<Pushed, RegistryFault> {
    let digest = hex::encode(Sha256::digest(parcel.bytes));
    let of = Described {
        digest: &digest,
        bytes: parcel.bytes.len(),
        imports: parcel.imports,
        exports: parcel.exports,
        title: parcel.title,
        version: parcel.version,
        description: parcel.description,
        signatures: parcel.signatures,
    };
    let config = artifact::config(&of);
    let config_digest = hex::encode(Sha256::digest(&config));
    let manifest = artifact::manifest(&of, &config, &config_digest);
    let pinned = to.pinned(&hex::encode(Sha256::digest(&manifest)));
    waited(to, async {
        let mut session = Session::open(to, access)?;
        session.upload(parcel.bytes, &digest).await?;
        session.upload(&config, &config_digest).await?;
        // The manifest comes last: whoever finds it finds the module.
        session.put_manifest(manifest, MANIFEST_TYPE).await?;
        Ok(Pushed { pinned })
    })
}

/// Fetches a module into `store`. A module named by digest that is there already needs no registry. Blocks, as `push`
/// does.
///
/// # Errors
/// As `push`; also a module with another digest than the one named.
pub fn pull(from: &Reference, store: &Store, access: Access) -> Result<Pulled, RegistryFault> {
    if let Some(digest) = from.digest()
        && let Some(module) = store.module(digest)?
    {
        return Ok(Pulled { pinned: from.pinned(digest), module });
    }
    let digest = waited(from, fetch(from, store, access))?;
    let lost =
        || RegistryFault::NoModule { place: from.to_string(), why: "it could not be read back".into() };
    let module = store.module(&digest)?.ok_or_else(lost)?;
    Ok(Pulled { pinned: from.pinned(&digest), module })
}

/// Returns the manifest's digest.
async fn fetch(from: &Reference, store: &Store, access: Access) -> Result<String, RegistryFault> {
    let mut session = Session::open(from, access)?;
    let manifest =
        session.download(Kind::Manifest, &format!("manifests/{}", from.name()), MANIFEST_BYTES_MAX).await?;
    let digest = hex::encode(Sha256::digest(&manifest));
    if let Some(wanted) = from.digest() {
        same(from, wanted, &digest)?;
    }
    let layer = artifact::read(&manifest).map_err(|why| session.no_module(&why))?;
    let module = session.download(Kind::Blob, &format!("blobs/sha256:{}", layer.digest), layer.bytes).await?;
    same(from, &layer.digest, &hex::encode(Sha256::digest(&module)))?;
    store.put(&module)?;
    store.put(&manifest)?;
    Ok(digest)
}

fn same(place: &Reference, wanted: &str, found: &str) -> Result<(), RegistryFault> {
    if wanted == found {
        return Ok(());
    }
    let (wanted, found) = (wanted.to_owned(), found.to_owned());
    Err(RegistryFault::Altered { place: place.to_string(), wanted, found })
}

/// Waits for `work` on a thread with a runtime of its own: the caller may sit on a runtime's worker or on none.
fn waited<T: Send>(
    place: &Reference,
    work: impl Future<Output = Result<T, RegistryFault>> + Send,
) -> Result<T, RegistryFault> {
    let failed = |why: String| RegistryFault::Failed { place: place.to_string(), why };
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(error.to_string()))?;
        runtime.block_on(async {
            tokio::time::timeout(WAIT_MAX, work)
                .await
                .unwrap_or_else(|_| Err(RegistryFault::Slow { place: place.to_string() }))
        })
    };
    thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|_| Err(failed("it panicked".into())))
}
