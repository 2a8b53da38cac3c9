extension Setting {
    /// Clusters over NATS.
    static let cluster: [Setting] = [
        .init(
            "nats",
            \.cluster.urls,
            .natsServers,
            "URLs of NATS servers with JetStream: the server is a node of a cluster over them. Needs a build with NATS."
        ),
        .init("nats_creds", \.cluster.credentials, .path, "File with the NATS user's JWT and seed, as nsc writes it."),
        .init(
            "nats_ca",
            \.cluster.authorities,
            .path,
            "File with the certificates that vouch for the NATS servers, in PEM; connections are then over TLS."
        ),
        .init(
            "nats_prefix",
            \.cluster.prefix,
            .plainText,
            "What the names of streams and subjects in NATS begin with: 1 to 32 letters, digits, '-' or '_'."
        ),
        .init(
            "nats_node",
            \.cluster.node,
            .plainText,
            "What this node is called in lists of the cluster's nodes; the host's name and the port if it is empty."
        ),
        .init(
            "nats_replicas",
            \.cluster.replicas,
            .whole(1...5),
            "How many NATS servers keep a copy of each stream: 1, 3 or 5."
        ),
        .init(
            "nats_unsafe_sync",
            \.cluster.acceptsUnsynced,
            .onOff,
            "Accept NATS servers that acknowledge before they have written to their disks: a power loss may take messages."
        ),
        .init(
            "nats_sync_always",
            \.cluster.isSynced,
            .onOff,
            "All NATS servers have sync_interval: always, though they cannot be asked."
        ),
        .init(
            "nats_mirror",
            \.cluster.mirror,
            .word("topics"),
            "Which topics' newest messages are in memory: of all, or of those with subscribers here (interest)."
        ),
    ]
}
