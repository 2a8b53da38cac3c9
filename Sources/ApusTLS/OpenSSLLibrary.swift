import COpenSSL

/// OpenSSL as a whole, for all of a process that use it.
public enum OpenSSLLibrary {
    /// Has OpenSSL free nothing at the end of the process (OPENSSL_init_crypto(3)). It would do so while other threads
    /// still use it, for example to close a connection, and these would crash.
    ///
    /// Call it before anything else of OpenSSL.
    public static func staysUntilTheEnd() {
        OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
    }
}
