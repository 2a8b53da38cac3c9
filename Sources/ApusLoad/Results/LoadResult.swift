/// The result of a run.
///
/// Times are in seconds unless a name says otherwise. Rates are per second of the measured time.
public struct LoadResult: Sendable, Codable {
    /// The options of the run.
    public struct Options: Sendable, Codable {
        public var subscribers: Int
        public var topics: Int
        public var publishers: Int
        /// The window of the closed loop, in messages per publisher.
        public var window: Int?
        /// The rate of the open loop, in messages per second.
        public var rate: Double?
        /// The size of a payload in bytes.
        public var payloadBytes: Int
        /// The size of a publish on the socket, in bytes.
        public var publishBytes: Int
        public var stalled: Int
        public var credit: LoadSettings.Credit
        public var threads: Int
        public var warmup: Double
        public var duration: Double
    }

    /// How long connecting took, and what each connection costs the server.
    public struct Connections: Sendable, Codable {
        public var count: Int
        public var seconds: Double
        public var perSecond: Double
        /// The costs for the server; `nil` if its processes are not visible.
        public var cpuMicrosecondsEach: Double?
        public var residentBytesEach: Double?
        public var proportionalBytesEach: Double?
    }

    /// Publishes and their answers.
    public struct Publishes: Sendable, Codable {
        public var total: Int
        public var perSecond: Double
        public var acked: Int
        public var acksPerSecond: Double
    }

    /// Deliveries to the subscribers that read. Each delivery was checked.
    public struct Deliveries: Sendable, Codable {
        /// The deliveries due for everything that was published.
        public var expected: Int
        /// The deliveries received, without duplicates.
        public var received: Int
        public var perSecond: Double
        /// The deliveries missing: expected less received.
        public var lost: Int
        /// The lost deliveries that the server announced as dropped.
        public var announced: Int
        /// The other lost deliveries.
        public var unannounced: Int
        public var doubled: Int
        public var outOfOrder: Int
        /// The smallest share of its expected messages that a subscriber received, from 0 to 1.
        public var worstShare: Double
    }

    /// The subscribers that stopped reading, and what they received when they read again at the end.
    public struct Stalled: Sendable, Codable {
        public var subscribers: Int
        /// The number of connections that the server ended.
        public var closed: Int
        public var expected: Int
        public var received: Int
        public var announced: Int
        /// The messages that still connected subscribers neither received nor were told of.
        public var unannounced: Int
    }

    /// Latencies in microseconds.
    public struct Latency: Sendable, Codable {
        /// A point on the percentile curve.
        public struct Point: Sendable, Codable {
            public var percentile: Double
            public var us: Double
        }

        public var count: Int
        public var mean: Double
        public var p50: Double
        public var p90: Double
        public var p99: Double
        public var p999: Double
        public var max: Double
        public var curve: [Point]
    }

    /// The resources that the server used in the measured time.
    public struct Server: Sendable, Codable {
        public var pids: [Int32]
        public var threads: Int
        /// In per cent of one core: all threads together, and the busiest thread.
        public var cpuPercent: Double
        public var busiestThreadPercent: Double
        /// How long threads had to wait for a core, in per cent of the measured time.
        public var waitPercent: Double
        public var cpuMicrosecondsPerDelivery: Double?
        public var cpuMicrosecondsPerPublish: Double?
        public var residentBytesAtStart: Int
        public var residentBytesConnected: Int
        public var residentBytesAtEnd: Int
        public var residentBytesPeak: Int
        /// The growth of resident bytes, from before the first message to the end.
        public var growthBytes: Int
        public var proportionalBytesAtEnd: Int?
    }

    /// The resources that this program itself used.
    public struct Generator: Sendable, Codable {
        public var cpuPercent: Double
        /// The share of the measured time in which the busiest thread had something to do, in per cent.
        public var busyPercent: Double
        /// Microseconds of processor time for each delivery.
        public var cpuMicrosecondsPerDelivery: Double?
        public var bytesPerRead: Double
        /// Whether this program, and not the server, limited the throughput.
        public var isBottleneck: Bool
        public var isSpinning: Bool
        /// How much later than due the messages of an open loop were sent.
        public var lateness: Latency?
    }

    /// What the server reports about its event loops, from the first connection to the last delivery.
    public struct Loops: Sendable, Codable, Equatable {
        public var count: Int
        /// The mean delay until a loop handled work from other loops, in microseconds.
        public var meanLag: Double
        /// At most 1 % of the delays exceeded this, in microseconds; `nil` above the server's largest bucket.
        public var p99LagAtMost: Double?
        /// Publishes that had to wait because a loop was behind.
        public var heldPublishes: Int

        public init(count: Int, meanLag: Double, p99LagAtMost: Double?, heldPublishes: Int) {
            self.count = count
            self.meanLag = meanLag
            self.p99LagAtMost = p99LagAtMost
            self.heldPublishes = heldPublishes
        }

        enum CodingKeys: String, CodingKey {
            case count
            case meanLag = "meanLagUs"
            case p99LagAtMost = "p99LagUsAtMost"
            case heldPublishes
        }
    }

    /// A moment of the warm-up or the measured time.
    public struct Moment: Sendable, Codable {
        /// Seconds since the first publish.
        public var seconds: Double
        public var publishesPerSecond: Double
        public var deliveriesPerSecond: Double
        public var serverCpuPercent: Double?
        public var serverResidentBytes: Int?
    }

    public var wire: String
    public var server: String
    public var options: Options
    public var measuredSeconds: Double
    public var isInterrupted: Bool
    public var connections: Connections
    public var publishes: Publishes
    public var deliveries: Deliveries
    public var stalled: Stalled?
    public var latency: Latency?
    public var ackLatency: Latency?
    public var serverUsage: Server?
    /// A load run does not fill this in. A caller that can ask the server may add it.
    public var serverLoops: Loops?
    public var generator: Generator
    /// The number of server errors, and of connections that the server ended.
    public var errors: Int
    public var closed: Int
    public var errorTexts: [String]
    public var timeline: [Moment]
    /// Faults that must not happen, in words; empty when there are none.
    public var violations: [String]
}
