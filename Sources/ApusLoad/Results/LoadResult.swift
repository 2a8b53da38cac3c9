/// What a run found. Times are in seconds unless a name says otherwise, rates are per second of the measured time.
public struct LoadResult: Sendable, Codable {
    /// What was asked for.
    public struct Options: Sendable, Codable {
        public var subscribers: Int
        public var topics: Int
        public var publishers: Int
        /// Of the closed loop.
        public var window: Int?
        /// Of the open loop, in messages a second.
        public var rate: Double?
        /// Bytes of payload.
        public var payloadBytes: Int
        /// Bytes of a publish as it goes to the socket.
        public var publishBytes: Int
        public var stalled: Int
        public var credit: LoadSettings.Credit
        public var threads: Int
        public var warmup: Double
        public var duration: Double
    }

    /// How the connections came to be, and what each takes.
    public struct Connections: Sendable, Codable {
        public var count: Int
        public var seconds: Double
        public var perSecond: Double
        /// Of the server; nil where it cannot be seen.
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

    /// Deliveries to the subscribers that read, each checked.
    public struct Deliveries: Sendable, Codable {
        /// What they should have got, of everything that was published.
        public var expected: Int
        /// What they got, doubled ones not counted.
        public var received: Int
        public var perSecond: Double
        /// What they did not get: expected less received.
        public var lost: Int
        /// The part of the lost that the server said it left out.
        public var announced: Int
        /// The rest of the lost.
        public var unannounced: Int
        public var doubled: Int
        public var outOfOrder: Int
        /// The fewest that a subscriber got of what it should have, as a share from 0 to 1.
        public var worstShare: Double
    }

    /// The subscribers that stopped reading, and what they got when they read again at the end.
    public struct Stalled: Sendable, Codable {
        public var subscribers: Int
        /// How many connections the server ended.
        public var closed: Int
        public var expected: Int
        public var received: Int
        public var announced: Int
        /// What those that are still connected did not get and were not told of.
        public var unannounced: Int
    }

    /// Latencies in microseconds.
    public struct Latency: Sendable, Codable {
        /// A point of the percentile curve.
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

    /// What the server used up in the measured time.
    public struct Server: Sendable, Codable {
        public var pids: [Int32]
        public var threads: Int
        /// Per cent of one core, of all threads together and of the busiest one.
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
        /// From before the first message to the end.
        public var growthBytes: Int
        public var proportionalBytesAtEnd: Int?
    }

    /// What this program itself did.
    public struct Generator: Sendable, Codable {
        public var cpuPercent: Double
        /// The share of the measured time in which the busiest thread had something to do, in per cent.
        public var busyPercent: Double
        /// Microseconds of processor time for each delivery.
        public var cpuMicrosecondsPerDelivery: Double?
        public var bytesPerRead: Double
        /// Whether this program, and not the server, set the pace.
        public var isBottleneck: Bool
        public var isSpinning: Bool
        /// How much later than due messages of an open loop went out.
        public var lateness: Latency?
    }

    /// What the server says of its own event loops, from the first connection to the last delivery.
    public struct Loops: Sendable, Codable, Equatable {
        public var count: Int
        /// How late they came to what other loops had for them, in microseconds.
        public var meanLag: Double
        /// No more than 1 % came later than so many microseconds; `nil` beyond what the server tells apart.
        public var p99LagAtMost: Double?
        /// Publishes that were put off because a loop was behind.
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

    /// A moment of the measured time and the warm-up before it.
    public struct Moment: Sendable, Codable {
        /// From the first publish on.
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
    /// Not known to a load run: whoever can ask the server adds it.
    public var serverLoops: Loops?
    public var generator: Generator
    /// Errors of the server and connections that it ended.
    public var errors: Int
    public var closed: Int
    public var errorTexts: [String]
    public var timeline: [Moment]
    /// What must not be, in words; empty when all is well.
    public var violations: [String]
}
