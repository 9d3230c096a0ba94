//! Connects to an address that was checked, and encrypts.
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use watchbell_outside::private;

use crate::mail::Failure;
use crate::server::{Inner, MailTls};

/// For one address: a server may have others, and one that swallows packets must not use up the whole time.
const ADDRESS_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// A connection, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The connection is made to an address that was checked: a second DNS answer cannot differ.
pub(crate) async fn connect(to: &Inner) -> Result<TcpStream, Failure> {
    let (host, port) = (to.settings.host.as_str(), to.settings.port);
    let unreachable = |cause: &dyn std::fmt::Display| {
        Failure::Unavailable(format!("`{host}:{port}` cannot be reached: {cause}"))
    };
    let found: Vec<SocketAddr> =
        tokio::net::lookup_host((host, port)).await.map_err(|error| unreachable(&error))?.collect();
    let mut last = None;
    let mut denied = None;
    for address in found {
        if let Err(why) = permit(to, address) {
            denied = Some(why);
            continue;
        }
        match tokio::time::timeout(ADDRESS_MAX, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = Some(error),
            Err(_) => last = Some(std::io::ErrorKind::TimedOut.into()),
        }
    }
    Err(match (last, denied) {
        (Some(error), _) => unreachable(&error),
        (None, Some(why)) => Failure::Denied(why),
        (None, None) => unreachable(&"it has no address"),
    })
}

fn permit(to: &Inner, address: SocketAddr) -> Result<(), String> {
    let (grants, host) = (to.settings.grants, &to.settings.host);
    if let Some(why) = private(address.ip())
        && !grants.private_addresses
    {
        let address = address.ip();
        return Err(format!(
            "`{host}` is {address}, {why}: if that is intended, grant the destination `private_addresses: true`"
        ));
    }
    if to.settings.tls == MailTls::None && !grants.plain_text && !address.ip().to_canonical().is_loopback() {
        return Err(format!(
            "`{host}` is another machine, and mails to it would not be encrypted: set `tls`, or grant the destination `plain_text: true`"
        ));
    }
    Ok(())
}

/// Encrypts a connection, and checks the server's certificate.
pub(crate) async fn encrypt<S: Stream + 'static>(to: &Inner, stream: S) -> Result<Box<dyn Stream>, Failure> {
    let host = &to.settings.host;
    let Some((connector, name)) = &to.tls else {
        return Err(Failure::Unavailable(format!("no TLS is set up for `{host}`")));
    };
    match connector.connect(name.clone(), stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(Failure::Unavailable(format!("TLS with `{host}` failed: {error}"))),
    }
}
