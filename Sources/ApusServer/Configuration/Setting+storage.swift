extension Setting {
    static let storage: [Setting] = [
        .init(
            "data",
            \.storage.data,
            .path,
            "Folder to keep topics and their messages in, made if it is not there; without one, they end with the server."
        ),
        .init(
            "commit_backlog",
            \.storage.commitBacklog,
            .size(1...1 << 40),
            "Bytes of a topic that may wait for the disk before publishers wait."
        ),
    ]
}
