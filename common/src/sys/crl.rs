//! Revocation lists whose content this program looks up for OpenSSL: which certificates they name, and who has signed
//! them. OpenSSL itself would need the whole list in memory, entry by entry, and each check of its signature would take
//! as long as the list is.

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::error::ErrorStack;
use openssl::pkey::{PKeyRef, Public};
use openssl::x509::X509Crl;
use openssl_sys::{
    ASN1_INTEGER, EVP_PKEY, X509_CRL, X509_CRL_get_issuer, X509_NAME, X509_NAME_cmp, X509_REVOKED,
    X509_REVOKED_free, X509_REVOKED_new, X509_REVOKED_set_serialNumber, d2i_X509_CRL,
};
use std::ffi::{c_int, c_long, c_void};
use std::ptr;
use std::sync::OnceLock;

/// The content of a list.
pub trait RevocationList: Send + Sync {
    /// Whether the list names the certificate with this serial number, in DER.
    fn names(&self, serial: &[u8]) -> bool;
    /// Whether this key has signed the list.
    fn is_signed_by(&self, key: &PKeyRef<Public>) -> bool;
}

/// The data that OpenSSL keeps with a list.
struct Answers {
    list: Box<dyn RevocationList>,
    /// The entry that OpenSSL gets for every certificate that the list names.
    entry: *mut X509_REVOKED,
}

/// X509_CRL_METHOD, whose members OpenSSL does not publish.
enum Method {}

type Judge = unsafe extern "C" fn(*mut X509_CRL) -> c_int;
type Lookup = unsafe extern "C" fn(
    *mut X509_CRL,
    *mut *mut X509_REVOKED,
    *const ASN1_INTEGER,
    *const X509_NAME,
) -> c_int;
type Verify = unsafe extern "C" fn(*mut X509_CRL, *mut EVP_PKEY) -> c_int;

unsafe extern "C" {
    fn X509_CRL_METHOD_new(
        init: Option<Judge>,
        free: Option<Judge>,
        lookup: Option<Lookup>,
        verify: Option<Verify>,
    ) -> *mut Method;
    fn X509_CRL_set_default_method(method: *const Method);
    fn X509_CRL_set_meth_data(crl: *mut X509_CRL, data: *mut c_void);
    fn X509_CRL_get_meth_data(crl: *mut X509_CRL) -> *mut c_void;
    fn i2d_ASN1_INTEGER(integer: *const ASN1_INTEGER, out: *mut *mut u8) -> c_int;
}

/// The list `der` for OpenSSL, without its entries and its signature: `list` answers for them. Otherwise it is like any
/// other list. No other thread may read lists during the call.
///
/// # Errors
/// It is no CRL, or OpenSSL has no memory.
pub fn x509_crl_answered_by(der: &[u8], list: Box<dyn RevocationList>) -> Result<X509Crl, ErrorStack> {
    let length = c_long::try_from(der.len()).unwrap_or(-1);
    // SAFETY: `der` lives as long as it is read, `start` is moved within it. The method is never freed. Lists that are
    // read later have OpenSSL's own method again. What is given to OpenSSL is taken back in `release`, by the list that
    // it was given to; that happens once, since a list is freed once.
    unsafe {
        let entry = X509_REVOKED_new();
        if entry.is_null() {
            return Err(ErrorStack::get());
        }
        let mut start = der.as_ptr();
        X509_CRL_set_default_method(method()?);
        let crl = d2i_X509_CRL(ptr::null_mut(), &raw mut start, length);
        X509_CRL_set_default_method(ptr::null());
        if crl.is_null() {
            X509_REVOKED_free(entry);
            return Err(ErrorStack::get());
        }
        X509_CRL_set_meth_data(crl, Box::into_raw(Box::new(Answers { list, entry })).cast());
        Ok(X509Crl::from_ptr(crl))
    }
}

/// The method that all such lists share.
fn method() -> Result<*const Method, ErrorStack> {
    static METHOD: OnceLock<usize> = OnceLock::new();
    // SAFETY: all functions keep to what x509_crl.c asks of them, and live as long as the program.
    let made = *METHOD.get_or_init(|| unsafe {
        X509_CRL_METHOD_new(None, Some(release), Some(look_up), Some(verify)).expose_provenance()
    });
    if made == 0 { Err(ErrorStack::get()) } else { Ok(ptr::with_exposed_provenance(made)) }
}

/// SAFETY: `crl` is a list of OpenSSL's with our method. While it is read it has no data.
unsafe fn answers<'a>(crl: *mut X509_CRL) -> Option<&'a Answers> {
    // SAFETY: the data of our method is null or an `Answers` of `x509_crl_answered_by`, which lives as long as the
    // list.
    unsafe { X509_CRL_get_meth_data(crl).cast::<Answers>().as_ref() }
}

/// The list is freed.
unsafe extern "C" fn release(crl: *mut X509_CRL) -> c_int {
    // SAFETY: as in `answers`. OpenSSL asks for nothing of a list that it frees, and the data is gone from it.
    unsafe {
        let data = X509_CRL_get_meth_data(crl).cast::<Answers>();
        if !data.is_null() {
            X509_CRL_set_meth_data(crl, ptr::null_mut());
            let answers = Box::from_raw(data);
            X509_REVOKED_free(answers.entry);
        }
    }
    1
}

/// 1: the certificate of this issuer with this serial number is revoked.
unsafe extern "C" fn look_up(
    crl: *mut X509_CRL,
    found: *mut *mut X509_REVOKED,
    serial: *const ASN1_INTEGER,
    issuer: *const X509_NAME,
) -> c_int {
    // SAFETY: OpenSSL hands over a list, a serial number and an issuer (or null) that are alive, and null or a place
    // for the entry, which it only reads.
    unsafe {
        let Some(answers) = answers(crl) else { return 0 };
        if !issuer.is_null() && X509_NAME_cmp(issuer, X509_CRL_get_issuer(crl)) != 0 {
            return 0;
        }
        let length = usize::try_from(i2d_ASN1_INTEGER(serial, ptr::null_mut())).unwrap_or_default();
        let mut der = vec![0; length];
        let mut to = der.as_mut_ptr();
        i2d_ASN1_INTEGER(serial, &raw mut to);
        // A number without a DER form is on no list.
        let named = length > 0 && answers.list.names(&der);
        if named && !found.is_null() {
            X509_REVOKED_set_serialNumber(answers.entry, serial.cast_mut());
            *found = answers.entry;
        }
        c_int::from(named)
    }
}

/// 1: this key has signed the list.
unsafe extern "C" fn verify(crl: *mut X509_CRL, key: *mut EVP_PKEY) -> c_int {
    if key.is_null() {
        return -1;
    }
    // SAFETY: OpenSSL hands over a list and a key that are alive.
    let (answers, key) = unsafe { (answers(crl), PKeyRef::<Public>::from_ptr(key)) };
    answers.map_or(-1, |answers| c_int::from(answers.list.is_signed_by(key)))
}
