use std::net::IpAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
pub(crate) use watchbell_outside::private;

/// A name or address that the destination may not connect to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{host}` is {address}, {why}: if that is intended, grant the destination `private_addresses: true`")]
pub(crate) struct AddressRefused {
    pub(crate) host: String,
    pub(crate) address: IpAddr,
    pub(crate) why: &'static str,
}

/// Resolves a name, and returns only the addresses that may be connected to. The connection uses one of these, so a
/// second DNS answer cannot differ from the one that was checked.
pub(crate) struct CheckedResolver {
    pub(crate) private_granted: bool,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let private_granted = self.private_granted;
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<_> = tokio::net::lookup_host((host, 0)).await?.collect();
            let refused = found.iter().find_map(|found| {
                let why = private(found.ip())?;
                Some(AddressRefused { host: host.to_owned(), address: found.ip(), why })
            });
            let allowed: Vec<_> =
                found.into_iter().filter(|found| private_granted || private(found.ip()).is_none()).collect();
            match refused {
                Some(refused) if allowed.is_empty() => Err(refused.into()),
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}
