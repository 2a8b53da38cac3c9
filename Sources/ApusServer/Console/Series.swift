import NIOCore

/// What the server knows of each second.
enum Series: Int, CaseIterable, Sendable {
    case publishes, deliveries, bytesIn, bytesOut, connections, subscriptions, topics, drops, memory, cpu, commits

    /// Its name in JSON.
    var name: String {
        switch self {
        case .bytesIn: "bytes_in"
        case .bytesOut: "bytes_out"
        default: "\(self)"
        }
    }

    /// How many decimal places it has in JSON.
    var decimals: Int {
        switch self {
        case .cpu: 3
        case .publishes, .deliveries, .bytesIn, .bytesOut, .drops, .commits: 1
        case .connections, .subscriptions, .topics, .memory: 0
        }
    }
}

/// One value of each series. What is not known is no number.
struct SamplePoint: Sendable {
    private var values = InlineArray<11, Double>(repeating: .nan)

    subscript(series: Series) -> Double {
        get { values[series.rawValue] }
        set { values[series.rawValue] = newValue }
    }
}

/// The points of the last minutes, one for each second. The oldest is forgotten for the next.
struct SampleRing: Sendable {
    /// 15 minutes.
    static let capacity = 900
    static let step: Int64 = 1000

    private var points: [SamplePoint] = []
    /// Where the next point goes once all places are taken.
    private var next = 0
    /// The time of the newest point, in milliseconds since 1970.
    private(set) var newest: Int64 = 0

    var count: Int { points.count }

    /// The points, the oldest first.
    var all: [SamplePoint] { Array(points[next...] + points[..<next]) }

    /// - Parameters:
    ///   - time: in milliseconds since 1970.
    ///   - missed: how many seconds since the point before have none.
    mutating func add(_ point: SamplePoint, at time: Int64, missed: Int = 0) {
        for _ in 0..<min(missed, Self.capacity) where !points.isEmpty { append(SamplePoint()) }
        append(point)
        newest = time
    }

    private mutating func append(_ point: SamplePoint) {
        guard points.count == Self.capacity else { return points.append(point) }
        points[next] = point
        next = (next + 1) % Self.capacity
    }
}

extension ByteBuffer {
    /// Writes a number as JSON, rounded; `null` for none.
    mutating func writeNumber(_ value: Double, decimals: Int) {
        guard value.isFinite else { return _ = writeStaticString("null") }
        let scale = [1, 10, 100, 1000][min(decimals, 3)]
        let scaled = (value * Double(scale)).rounded()
        guard let whole = Int64(exactly: scaled) else { return _ = writeString("\(value)") }
        let (head, rest) = whole.quotientAndRemainder(dividingBy: Int64(scale))
        writeString(rest == 0 ? "\(head)" : "\(scaled / Double(scale))")
    }
}
