extension Setting {
    /// Where clients are.
    static let proxies: [Setting] = [
        .init(
            "trusted_proxies",
            \.proxies.trusted,
            .proxies,
            flag: "trusted-proxy",
            isReloadable: true,
            "A proxy that tells clients' addresses, such as 10.0.0.0/8 or unix; may be given several times."
        ),
        .init(
            "proxy_protocol",
            \.proxies.speakProxyProtocol,
            .onOff,
            isReloadable: true,
            "Whether connections of these proxies begin with a PROXY protocol header: on or off."
        ),
    ]

    /// Who may use the server.
    static let access: [Setting] = [
        .init(
            "api_keys",
            \.access.apiKeys,
            .keys,
            flag: "api-key",
            isReloadable: true,
            "An API key that may do everything; may be given several times."
        ),
        // Its file is a setting of its own.
        .init(
            "keys",
            \.access.keys,
            .apiKeys,
            isReloadable: true,
            hasFileVariable: false,
            "API keys with rights, as a list of {id, key_sha256, rights}."
        ),
        .init(
            "keys_file",
            \.access.keysFile,
            .path,
            isReloadable: true,
            "File with API keys with rights; `apus keys` writes it."
        ),
        .init(
            "anonymous",
            \.access.anonymous,
            .rules,
            isReloadable: true,
            "What clients without a credential may do, as a list of rules; null asks for a credential."
        ),
        .init(
            "tokens.keys",
            \.access.tokens.keys,
            .tokenKeys,
            isReloadable: true,
            "Keys for tokens, as a list of {kid, file, alg}."
        ),
        .init(
            "tokens.jwks_file",
            \.access.tokens.jwksFile,
            .path,
            isReloadable: true,
            "File with a JWK set of keys for tokens."
        ),
        .init(
            "tokens.jwks_url",
            \.access.tokens.jwksURL,
            .webAddress,
            isReloadable: true,
            "Address of a JWK set of keys for tokens."
        ),
        .init(
            "tokens.issuer",
            \.access.tokens.issuer,
            .plainText,
            isReloadable: true,
            "What a token's iss must be; empty is anything."
        ),
        .init(
            "tokens.audience",
            \.access.tokens.audience,
            .plainTexts,
            isReloadable: true,
            "What a token's aud must contain one of; empty is anything."
        ),
        .init(
            "tokens.claim",
            \.access.tokens.claim,
            .claim,
            isReloadable: true,
            "The claim of a token that has the rights."
        ),
        .init(
            "token_leeway",
            \.access.tokenLeeway,
            .duration(zero: true),
            isReloadable: true,
            "How much the clocks of the server and of a token's issuer may differ."
        ),
        .init(
            "token_max_age",
            \.access.tokenMaxAge,
            .duration(zero: true),
            isReloadable: true,
            "The longest time from now until a token may expire; 0 is any."
        ),
        .init(
            "token_grace",
            \.access.tokenGrace,
            .duration(zero: true),
            isReloadable: true,
            "How long a client stays after its credential has expired."
        ),
        .init(
            "jwks_ttl",
            \.access.jwksTTL,
            .duration(shortest: 1000, zero: false),
            isReloadable: true,
            "How long fetched keys for tokens are used before they are fetched again."
        ),
        .init(
            "allowed_origins",
            \.access.allowedOrigins,
            .origins,
            flag: "allowed-origin",
            isReloadable: true,
            "A web page's origin that may use the server, such as https://app.example.com; may be given several times."
        ),
        .init(
            "allowed_hosts",
            \.access.allowedHosts,
            .hosts,
            flag: "allowed-host",
            isReloadable: true,
            "A further name that a server on loopback answers to; may be given several times."
        ),
    ]
}
