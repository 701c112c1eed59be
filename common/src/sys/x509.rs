//! What the openssl crate lacks: putting a CRL into a certificate store, and taking its key from a running connection.

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ssl::{SslContextRef, SslStream};
use openssl::x509::X509CrlRef;
use openssl::x509::store::X509StoreBuilderRef;
use openssl_sys::{SSL_set_SSL_CTX, X509_CRL, X509_STORE};
use std::ffi::c_int;

unsafe extern "C" {
    fn X509_STORE_add_crl(store: *mut X509_STORE, crl: *mut X509_CRL) -> c_int;
}

/// Gives a running connection another context, and with it that one's certificate and private key: with an empty one,
/// none. The handshake must be done.
pub fn ssl_set_context<S>(stream: &mut SslStream<S>, context: &SslContextRef) {
    // SAFETY: both pointers come from live references. OpenSSL takes a reference of its own to the new context and
    // gives its references to the old one up; nobody can hold a borrow of the old one, because `stream` is borrowed
    // mutably.
    unsafe { SSL_set_SSL_CTX(stream.ssl().as_ptr(), context.as_ptr()) };
}

/// Adds `crl` to `store`. Of two CRLs of one issuer with the same date the first one added wins: keep one per issuer
/// and scope.
pub fn x509_store_add_crl(store: &mut X509StoreBuilderRef, crl: &X509CrlRef) -> Result<(), ErrorStack> {
    // SAFETY: both pointers come from live references. OpenSSL takes a reference of its own to the CRL and changes
    // nothing but its atomic count, so `crl` may be dropped later.
    let added = unsafe { X509_STORE_add_crl(store.as_ptr(), crl.as_ptr()) };
    if added == 1 { Ok(()) } else { Err(ErrorStack::get()) }
}
