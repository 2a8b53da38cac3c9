import ApusLoad

/// The load for `apus bench`: the given options, then the preset's values, then the defaults.
struct BenchLoad: Equatable {
    /// The options as given.
    struct Options: Equatable {
        var subscribers: Int?
        var topics: Int?
        var publishers: Int?
        var window: Int?
        var rate: Double?
        var connections: Int?
        var preset: BenchPreset?
    }

    private static let defaultSubscribers = 100
    private static let defaultWindow = 64

    let subscribers: Int
    let topics: Int
    let publishers: Int
    let pace: LoadSettings.Pace

    /// Throws the reason, in one sentence, if options exclude each other.
    init(_ options: Options) throws(LoadFailure) {
        func exclude(_ isWrong: Bool, _ why: String) throws(LoadFailure) {
            if isWrong { throw LoadFailure(.impossible, why) }
        }
        try exclude(
            options.window != nil && options.rate != nil,
            "--window and --rate exclude each other: the first waits for answers, the second does not"
        )
        if let connections = options.connections {
            try exclude(options.preset != nil, "--connections and --preset exclude each other")
            try exclude(
                options.subscribers != nil,
                "--connections and --subs exclude each other: each connection is a subscriber"
            )
            try exclude(options.window != nil, "--connections goes with --rate, not with --window")
            try exclude(
                options.rate == nil && (options.publishers ?? 0) > 0,
                "--connections with publishers needs a --rate"
            )
            try exclude(connections < 1, "--connections must be at least 1")
        }
        let preset = options.connections == nil ? options.preset?.load : nil
        subscribers = options.connections ?? options.subscribers ?? preset?.subscribers ?? Self.defaultSubscribers
        topics = options.topics ?? preset?.topics ?? 1
        let isIdle = options.connections != nil && options.rate == nil
        publishers = options.publishers ?? preset?.publishers ?? (isIdle ? 0 : 1)
        if publishers == 0 {
            try exclude(
                options.window != nil || options.rate != nil,
                "without publishers there is no --window and no --rate"
            )
            pace = .none
        } else if let rate = options.rate ?? (options.window == nil ? preset?.rate : nil) {
            pace = .rate(rate)
        } else {
            pace = .window(options.window ?? Self.defaultWindow)
        }
    }
}
