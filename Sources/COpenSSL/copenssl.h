// What Swift cannot call of OpenSSL 3: macros, and callbacks that get C structures.
#pragma once

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

// MARK: The wire of a connection: a BIO on memory that the caller owns.

// Sealed bytes that have come and were not read, and room for sealed bytes to send.
typedef struct {
    const unsigned char *input;
    size_t input_left;
    unsigned char *output;
    size_t output_size;
    size_t output_room;
} copenssl_wire;

static int copenssl_wire_read(BIO *bio, char *data, size_t size, size_t *done) {
    copenssl_wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *done = size < wire->input_left ? size : wire->input_left;
    if (*done == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(data, wire->input, *done);
    wire->input += *done;
    wire->input_left -= *done;
    return 1;
}

static int copenssl_wire_write(BIO *bio, const char *data, size_t size, size_t *done) {
    copenssl_wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t room = wire->output_room - wire->output_size;
    *done = size < room ? size : room;
    if (*done == 0) {
        BIO_set_retry_write(bio);
        return 0;
    }
    memcpy(wire->output + wire->output_size, data, *done);
    wire->output_size += *done;
    return 1;
}

static long copenssl_wire_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int copenssl_wire_destroy(BIO *bio) {
    OPENSSL_free(BIO_get_data(bio));
    return 1;
}

static inline BIO_METHOD *copenssl_wire_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "apus");
    if (method == NULL) return NULL;
    BIO_meth_set_read_ex(method, copenssl_wire_read);
    BIO_meth_set_write_ex(method, copenssl_wire_write);
    BIO_meth_set_ctrl(method, copenssl_wire_control);
    BIO_meth_set_destroy(method, copenssl_wire_destroy);
    return method;
}

// Gives a connection its wire, which is freed with it. NULL if there is no memory.
static inline copenssl_wire *copenssl_add_wire(SSL *ssl, BIO_METHOD *method) {
    copenssl_wire *wire = OPENSSL_zalloc(sizeof *wire);
    BIO *bio = wire == NULL ? NULL : BIO_new(method);
    if (bio == NULL) {
        OPENSSL_free(wire);
        return NULL;
    }
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return wire;
}

// MARK: What a server's contexts share

// A key that seals session tickets (RFC 5077 section 4 recommends this form).
typedef struct {
    unsigned char name[16];
    unsigned char hmac[32];
    unsigned char aes[32];
} copenssl_ticket_key;

// The contexts of a server, one for each certificate, the default first; and the ticket keys, the newest first.
typedef struct {
    SSL_CTX **contexts;
    size_t context_count;
    copenssl_ticket_key *ticket_keys;
    size_t ticket_key_count;
} copenssl_server;

// Chooses the certificate by the name that the client asks for (RFC 6066 section 3).
static int copenssl_choose_certificate(SSL *ssl, int *alert, void *argument) {
    (void)alert;
    const copenssl_server *server = argument;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == NULL) return SSL_TLSEXT_ERR_NOACK;
    for (size_t i = 0; i < server->context_count; i++) {
        X509 *certificate = SSL_CTX_get0_certificate(server->contexts[i]);
        if (X509_check_host(certificate, name, 0, 0, NULL) == 1) {
            SSL_set_SSL_CTX(ssl, server->contexts[i]);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

// Agrees to HTTP/1.1, and to nothing else (RFC 7301 section 3.2).
static int copenssl_choose_protocol(
    SSL *ssl, const unsigned char **chosen, unsigned char *size, const unsigned char *offered, unsigned int length,
    void *argument
) {
    (void)ssl, (void)argument;
    static const unsigned char http[] = "\x08http/1.1";
    unsigned char *found;
    if (SSL_select_next_proto(&found, size, http, sizeof http - 1, offered, length) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

static int copenssl_use_ticket_key(
    SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals
) {
    const copenssl_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    size_t index = 0;
    if (seals) {
        if (RAND_bytes(iv, 16) <= 0) return -1;
        memcpy(name, server->ticket_keys[0].name, 16);
    } else {
        while (memcmp(name, server->ticket_keys[index].name, 16) != 0) {
            if (++index == server->ticket_key_count) return 0;
        }
    }
    copenssl_ticket_key *key = &server->ticket_keys[index];
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->hmac, sizeof key->hmac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "sha256", 0),
        OSSL_PARAM_construct_end(),
    };
    if (!EVP_MAC_CTX_set_params(mac, parameters)) return -1;
    if (!EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, seals)) return -1;
    // 2: the ticket is of an older key, and the client gets a new one.
    return index == 0 ? 1 : 2;
}

// The settings of every context, of a server and of a client.
static inline int copenssl_configure_both(SSL_CTX *context) {
    // Mozilla's order: AES with 128 bits, which costs less, before that with 256.
    static const char ciphers[] = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20";
    static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(
        context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
    );
    // Many short records come in one read, and need one buffer then.
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) && SSL_CTX_set_cipher_list(context, ciphers)
        && SSL_CTX_set_ciphersuites(context, suites) && SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
}

// A client's: the server has to prove who it is, and to speak HTTP/1.1 if it chooses a protocol.
static inline int copenssl_configure_client(SSL_CTX *context) {
    static const unsigned char http[] = "\x08http/1.1";
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return copenssl_configure_both(context) && SSL_CTX_set_alpn_protos(context, http, sizeof http - 1) == 0;
}

static inline int copenssl_ask_for_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

// The settings of every context of a server, which are those of Mozilla's intermediate profile. Returns 0 if the library
// refuses one.
static inline int copenssl_configure(SSL_CTX *context, copenssl_server *server) {
    static const unsigned char session_context[] = "apus";
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    // Tickets carry the sessions; the server stores none. One for each handshake, and a new one whenever it was used: a second would make the handshake dearer.
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_app_data(context, server);
    SSL_CTX_set_alpn_select_cb(context, copenssl_choose_protocol, NULL);
    SSL_CTX_set_tlsext_servername_callback(context, copenssl_choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(context, server);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, copenssl_use_ticket_key);
    return copenssl_configure_both(context)
        && SSL_CTX_set_session_id_context(context, session_context, sizeof session_context - 1);
}

// Binds sessions to the authorities that vouch for clients: a client with a session from other ones has to show its
// certificate anew (SSL_CTX_set_session_id_context(3)).
static inline int copenssl_bind_sessions(SSL_CTX *context) {
    unsigned char digest[EVP_MAX_MD_SIZE], certificate[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    STACK_OF(X509) *all = X509_STORE_get1_all_certs(SSL_CTX_get_cert_store(context));
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int is_done = all != NULL && hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    for (int i = 0; is_done && i < sk_X509_num(all); i++) {
        is_done = X509_digest(sk_X509_value(all, i), EVP_sha256(), certificate, &size)
            && EVP_DigestUpdate(hash, certificate, size);
    }
    is_done = is_done && EVP_DigestFinal_ex(hash, digest, &size)
        && SSL_CTX_set_session_id_context(context, digest, size);
    EVP_MD_CTX_free(hash);
    sk_X509_pop_free(all, X509_free);
    return is_done;
}

// Whether a certificate asks of clients what it must: one that the list's certificates vouch for.
static inline int copenssl_require_client_certificates(SSL_CTX *context, const char *file) {
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
    if (names == NULL || !SSL_CTX_load_verify_file(context, file)) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return 0;
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return copenssl_bind_sessions(context);
}

// MARK: Certificates

// The common name of a certificate's subject as UTF-8, to be freed with copenssl_free; NULL if there is not exactly one.
static inline unsigned char *copenssl_common_name(const X509 *certificate, int *size) {
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, index) >= 0) return NULL;
    unsigned char *text = NULL;
    *size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
    return *size < 0 ? NULL : text;
}

static inline void copenssl_free(void *memory) { OPENSSL_free(memory); }

// The days and seconds from now until a certificate ends. Returns 0 if that cannot be told.
static inline int copenssl_time_left(const X509 *certificate, int *days, int *seconds) {
    return ASN1_TIME_diff(days, seconds, NULL, X509_get0_notAfter(certificate));
}

// The same until it begins to be valid.
static inline int copenssl_time_until_start(const X509 *certificate, int *days, int *seconds) {
    return ASN1_TIME_diff(days, seconds, NULL, X509_get0_notBefore(certificate));
}
