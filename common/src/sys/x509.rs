//! What the openssl crate lacks: putting a CRL into a certificate store, and taking its key from a running connection.

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ssl::SslStream;
use openssl::x509::store::X509StoreBuilderRef;
use openssl::x509::{X509CrlRef, X509VerifyResult};
use openssl_sys::{SSL, X509_CRL, X509_STORE};
use std::ffi::c_int;

unsafe extern "C" {
    fn SSL_certs_clear(ssl: *mut SSL);
    fn X509_STORE_add_crl(store: *mut X509_STORE, crl: *mut X509_CRL) -> c_int;
}

/// Takes certificate and private key from a running connection, for good. The handshake must be done. Only what was set
/// on the connection itself goes; a context that holds them would keep them.
pub fn ssl_forget_certificate<S>(stream: &mut SslStream<S>) {
    // SAFETY: the pointer comes from a live connection that is borrowed mutably, so nobody holds a reference to what is
    // freed here. OpenSSL needs neither after the handshake.
    unsafe { SSL_certs_clear(stream.ssl().as_ptr()) };
}

/// OpenSSL's verification result of this number (X509_V_ERR_*), to set it in a verify callback.
pub fn verify_result(code: c_int) -> X509VerifyResult {
    // SAFETY: the constructor is unsafe for the sake of texts of unknown numbers in OpenSSL before 1.1.0, which are not
    // thread-safe; we need 1.1.1 at least.
    unsafe { X509VerifyResult::from_raw(code) }
}

/// Adds `crl` to `store`. Of two CRLs of one issuer with the same date the first one added wins: keep one per issuer
/// and scope.
///
/// # Errors
/// OpenSSL has no memory.
pub fn x509_store_add_crl(store: &mut X509StoreBuilderRef, crl: &X509CrlRef) -> Result<(), ErrorStack> {
    // SAFETY: both pointers come from live references. OpenSSL takes a reference of its own to the CRL and changes
    // nothing but its atomic count, so `crl` may be dropped later.
    let added = unsafe { X509_STORE_add_crl(store.as_ptr(), crl.as_ptr()) };
    if added == 1 { Ok(()) } else { Err(ErrorStack::get()) }
}

#[cfg(test)]
mod tests {
    use super::x509_store_add_crl;
    use openssl::stack::Stack;
    use openssl::x509::store::X509StoreBuilder;
    use openssl::x509::verify::X509VerifyFlags;
    use openssl::x509::{X509, X509Crl, X509StoreContext};

    /// A CA, a certificate of it, and its CRL, which lists that certificate; all valid for a century.
    const REVOKED: &[u8] = include_bytes!("x509/revoked.pem");

    /// OpenSSL's verdict on the certificate (X509_V_...), with or without the CRL in the store.
    fn verdict(with_crl: bool) -> i32 {
        let certificates = X509::stack_from_pem(REVOKED).unwrap();
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(certificates[0].clone()).unwrap();
        store.set_flags(X509VerifyFlags::CRL_CHECK).unwrap();
        if with_crl {
            // Dropped at once: the store must hold a reference of its own.
            x509_store_add_crl(&mut store, &X509Crl::from_pem(REVOKED).unwrap()).unwrap();
        }
        let mut context = X509StoreContext::new().unwrap();
        let no_chain = Stack::new().unwrap();
        let verify = |context: &mut openssl::x509::X509StoreContextRef| {
            context.verify_cert()?;
            Ok(context.error().as_raw())
        };
        context.init(&store.build(), &certificates[1], &no_chain, verify).unwrap()
    }

    #[test]
    fn a_crl_in_the_store_refuses_what_it_lists() {
        assert_eq!((verdict(false), verdict(true)), (3, 23), "no CRL, then revoked");
    }
}
