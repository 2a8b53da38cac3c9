extension Setting {
    static let storage: [Setting] = [
        .init(
            "data",
            \.storage.data,
            .path,
            "Folder to keep topics and messages in, made if it is not there. Without one, they end with the server."
        ),
        .init(
            "data_bytes",
            \.storage.dataBytes,
            .size(0...1 << 50),
            "The most bytes of messages in it; 0 for as many as there is room for."
        ),
        .init(
            "commit_backlog",
            \.storage.commitBacklog,
            .size(1...1 << 40),
            "Bytes of a topic that may wait for the disk before publishers wait."
        ),
        .init(
            "history_memory",
            \.storage.historyMemory,
            .size(0...1 << 40),
            "Bytes of a topic's history that stay in memory though the disk has them, too."
        ),
    ]
}
