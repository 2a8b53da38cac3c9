import ApusCluster
import ApusProtocol

/// What one world is like.
struct ClusterSetup {
    /// Both are in one stream, so that their packs mix.
    static let topics = ["orders", "t7"]
    private static let stream = ClusterStream(ofTopic: "orders")

    let streams = [Self.stream, ClusterStream.registry]
    let nodes: Int
    let topics: [String]
    /// Packs that a topic's subject keeps.
    let keeps: Int
    let packBytes: Int
    let steps: Int
    /// Percentages.
    let (loss, slow, repeats, drops): (Int, Int, Int, Int)
    /// Whether servers are cut off, and lead no more.
    let hasPartitions: Bool
    /// Whether nodes stop and start.
    let hasCrashes: Bool
    /// Whether acked messages are lost by the servers.
    let hasRollBacks: Bool
    /// Whether topics are made and deleted all the time.
    let hasManyLives: Bool
    /// Publishes with ids that were used before, where topics remove duplicates.
    let dedupes: Bool

    init(random: inout SplitMix64) {
        func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        nodes = draw(0...9) < 7 ? 2 : 3
        topics = Array(Self.topics.prefix(draw(1...2)))
        packBytes = draw(0...1) == 0 ? 64 : 1 << 20
        steps = draw(0...4) == 0 ? 45 : 15
        let isCalm = draw(0...9) == 0
        (loss, slow, repeats, drops) = isCalm ? (0, 0, 0, 0) : (draw(0...8), draw(0...8), draw(0...6), draw(0...4))
        hasPartitions = !isCalm && draw(0...2) > 0
        hasRollBacks = !isCalm && draw(0...7) == 0
        // Of what is lost and trimmed nothing is left by which to tell.
        keeps = !hasRollBacks && draw(0...3) == 0 ? draw(2...4) : 1000
        hasCrashes = !isCalm && !hasRollBacks && draw(0...2) == 0
        hasManyLives = draw(0...2) == 0
        dedupes = keeps == 1000 && !hasRollBacks && draw(0...1) == 0
    }
}
