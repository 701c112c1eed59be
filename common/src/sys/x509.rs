//! Functions that the openssl crate lacks: adding a CRL to a certificate store, a callback for each step when a chain
//! is verified outside of a handshake, and removing the key from an open connection.

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ssl::SslStream;
use openssl::stack::StackRef;
use openssl::x509::store::{X509StoreBuilderRef, X509StoreRef};
use openssl::x509::{X509, X509CrlRef, X509Ref, X509StoreContext, X509StoreContextRef, X509VerifyResult};
use openssl_sys::{SSL, X509_CRL, X509_STORE, X509_STORE_CTX};
use std::ffi::{c_int, c_void};

/// Gets OpenSSL's verdict on a certificate of a chain, and returns whether to accept it.
type Decide<'a> = &'a mut dyn FnMut(bool, &mut X509StoreContextRef) -> bool;

/// The place in a verification context for its caller's data (`X509_STORE_CTX_set_app_data`).
const APP_DATA: c_int = 0;

unsafe extern "C" {
    fn X509_STORE_CTX_set_verify_cb(
        context: *mut X509_STORE_CTX,
        callback: extern "C" fn(c_int, *mut X509_STORE_CTX) -> c_int,
    );
    fn X509_STORE_CTX_set_ex_data(context: *mut X509_STORE_CTX, index: c_int, data: *mut c_void) -> c_int;
    fn X509_STORE_CTX_get_ex_data(context: *mut X509_STORE_CTX, index: c_int) -> *mut c_void;
    fn SSL_certs_clear(ssl: *mut SSL);
    fn X509_STORE_add_crl(store: *mut X509_STORE, crl: *mut X509_CRL) -> c_int;
}

/// Removes certificate and private key from an open connection permanently. The handshake must be done. Only values
/// that were set on the connection itself are removed; a context that has them keeps them.
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

/// Verifies `leaf` with the certificates `above` it; `decide` is called for each step, as in a handshake. Returns
/// OpenSSL's result (X509_V_*); for a chain that is refused never `X509_V_OK`.
///
/// # Errors
/// OpenSSL has no memory.
pub fn x509_verify(
    store: &X509StoreRef,
    leaf: &X509Ref,
    above: &StackRef<X509>,
    mut decide: Decide<'_>,
) -> Result<i32, ErrorStack> {
    let mut context = X509StoreContext::new()?;
    context.init(store, leaf, above, |context| {
        let data: *mut Decide<'_> = &raw mut decide;
        // SAFETY: the pointer comes from a live context. `decide` outlives the verification below, the only caller of
        // the callback, and is not touched by anybody else meanwhile.
        unsafe {
            if X509_STORE_CTX_set_ex_data(context.as_ptr(), APP_DATA, data.cast()) != 1 {
                return Err(ErrorStack::get());
            }
            X509_STORE_CTX_set_verify_cb(context.as_ptr(), on_step);
        }
        let is_verified = context.verify_cert()?;
        match context.error().as_raw() {
            0 if !is_verified => Ok(openssl_sys::X509_V_ERR_UNSPECIFIED),
            code => Ok(code),
        }
    })
}

extern "C" fn on_step(good: c_int, context: *mut X509_STORE_CTX) -> c_int {
    // SAFETY: OpenSSL calls this with the context that `x509_verify` verifies with, whose data is a `Decide` that is
    // alive and used by nobody else until this returns. A panic would end the process (extern "C").
    let go_on = unsafe {
        let decide = X509_STORE_CTX_get_ex_data(context, APP_DATA).cast::<Decide<'_>>();
        decide.as_mut().is_some_and(|decide| decide(good == 1, X509StoreContextRef::from_ptr_mut(context)))
    };
    go_on.into()
}

#[cfg(test)]
mod tests {
    use super::{x509_store_add_crl, x509_verify};
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
            // Dropped at once: the store must have its own reference.
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

    #[test]
    fn each_step_is_decided_by_the_caller() {
        let certificates = X509::stack_from_pem(REVOKED).unwrap();
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(certificates[0].clone()).unwrap();
        store.set_flags(X509VerifyFlags::CRL_CHECK).unwrap();
        let (store, none) = (store.build(), Stack::new().unwrap());
        let mut steps = Vec::new();
        let refused = x509_verify(&store, &certificates[1], &none, &mut |good, context| {
            steps.push((good, context.error().as_raw()));
            good
        });
        assert_eq!((refused.unwrap(), steps), (3, vec![(false, 3)]));
        let borne = x509_verify(&store, &certificates[1], &none, &mut |good, context| {
            context.set_error(openssl::x509::X509VerifyResult::OK);
            good || context.current_cert().is_some()
        });
        assert_eq!(borne.unwrap(), 0);
        let unexplained = x509_verify(&store, &certificates[1], &none, &mut |_, context| {
            context.set_error(openssl::x509::X509VerifyResult::OK);
            false
        });
        assert_eq!(unexplained.unwrap(), 1, "a chain that is refused is never well");
    }
}
