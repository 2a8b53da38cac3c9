import ArgumentParser

/// Four loads within the ranges of a reference system's load tests (R2): 5 to 50 topics, 10 to 100 publishers, 20 to
/// 200 subscribers.
///
/// They are open-loop. The steps in between and the rates are our choice.
enum BenchPreset: String, CaseIterable, ExpressibleByArgument {
    case light
    case medium
    case heavy
    case extreme

    struct Load: Equatable {
        let topics: Int
        let publishers: Int
        let subscribers: Int
        /// Messages per second, of all publishers together.
        let rate: Double
    }

    var load: Load {
        switch self {
        case .light: Load(topics: 5, publishers: 10, subscribers: 20, rate: 1_000)
        case .medium: Load(topics: 10, publishers: 25, subscribers: 50, rate: 4_000)
        case .heavy: Load(topics: 25, publishers: 50, subscribers: 100, rate: 10_000)
        case .extreme: Load(topics: 50, publishers: 100, subscribers: 200, rate: 20_000)
        }
    }
}
