import COpenSSL
import Glibc

// Certificates and keys from their files.

extension TLSContext {
    /// - Returns: a context with the certificate, and when that ends, in milliseconds since 1970.
    static func load(
        _ files: TLSFiles,
        clientCA: String?,
        for server: UnsafeMutablePointer<copenssl_server>
    ) throws(TLSError) -> (OpaquePointer, Int64) {
        for file in [files.certificate, files.key, clientCA].compactMap(\.self) { try checkReadable(file) }
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_server_method()) else {
            throw TLSError(file: files.certificate, reason: "cannot be loaded: \(opensslReason())")
        }
        do throws(TLSError) {
            guard copenssl_configure(context, server) == 1 else {
                throw TLSError(file: files.certificate, reason: "cannot be used: \(opensslReason())")
            }
            let end = try use(files, in: context)
            if let clientCA, copenssl_require_client_certificates(context, clientCA) != 1 {
                throw TLSError(file: clientCA, reason: "has no certificate in PEM form (\(opensslReason()))")
            }
            return (context, end)
        } catch {
            SSL_CTX_free(context)
            throw error
        }
    }

    static func use(_ files: TLSFiles, in context: OpaquePointer) throws(TLSError) -> Int64 {
        // A key with a passphrase would be asked for at the terminal.
        SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in 0 }
        guard SSL_CTX_use_certificate_chain_file(context, files.certificate) == 1,
            let certificate = SSL_CTX_get0_certificate(context)
        else {
            throw TLSError(file: files.certificate, reason: "has no certificate in PEM form (\(opensslReason()))")
        }
        let end = try checkDates(of: certificate, in: files.certificate)
        guard SSL_CTX_use_PrivateKey_file(context, files.key, SSL_FILETYPE_PEM) == 1 else {
            let code = ERR_peek_last_error()
            if ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH || ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH {
                ERR_clear_error()
                throw TLSError(file: files.key, reason: "is not the key of \(files.certificate)")
            }
            throw TLSError(
                file: files.key,
                reason: "has no private key in PEM form without a passphrase (\(opensslReason()))"
            )
        }
        guard SSL_CTX_check_private_key(context) == 1 else {
            ERR_clear_error()
            throw TLSError(file: files.key, reason: "is not the key of \(files.certificate)")
        }
        return end
    }

    private static func checkDates(of certificate: OpaquePointer, in file: String) throws(TLSError) -> Int64 {
        var (days, seconds): (CInt, CInt) = (0, 0)
        guard copenssl_time_until_start(certificate, &days, &seconds) == 1, days <= 0, seconds <= 0 else {
            throw TLSError(file: file, reason: "is not valid yet")
        }
        guard copenssl_time_left(certificate, &days, &seconds) == 1, days > 0 || seconds > 0 else {
            throw TLSError(file: file, reason: "has expired")
        }
        return (Int64(time(nil)) + Int64(days) * 86_400 + Int64(seconds)) * 1000
    }

    static func checkReadable(_ file: String) throws(TLSError) {
        guard let stream = fopen(file, "re") else {
            throw TLSError(file: file, reason: "cannot be read: \(reason(errno))")
        }
        fclose(stream)
    }

    /// The reason of the first error that this thread's calls have left, which is then forgotten.
    static func opensslReason() -> String {
        defer { ERR_clear_error() }
        return ERR_reason_error_string(ERR_peek_error()).map { String(cString: $0) } ?? "unknown reason"
    }
}
