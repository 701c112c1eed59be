//! The one symbol of OpenSSL that the openssl crate lacks: putting a CRL into a certificate store.

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::x509::X509CrlRef;
use openssl::x509::store::X509StoreBuilderRef;
use openssl_sys::{X509_CRL, X509_STORE};
use std::ffi::c_int;

unsafe extern "C" {
    fn X509_STORE_add_crl(store: *mut X509_STORE, crl: *mut X509_CRL) -> c_int;
}

/// Adds `crl` to `store`. Of two CRLs of one issuer with the same date the first one added wins: keep one per issuer
/// and scope.
pub fn x509_store_add_crl(store: &mut X509StoreBuilderRef, crl: &X509CrlRef) -> Result<(), ErrorStack> {
    // SAFETY: both pointers come from live references. OpenSSL takes a reference of its own to the CRL and changes
    // nothing but its atomic count, so `crl` may be dropped later.
    let added = unsafe { X509_STORE_add_crl(store.as_ptr(), crl.as_ptr()) };
    if added == 1 { Ok(()) } else { Err(ErrorStack::get()) }
}
