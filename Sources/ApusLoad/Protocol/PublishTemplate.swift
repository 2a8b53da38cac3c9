/// A publish as it goes to the socket, and the places in it where each one has its own numbers.
///
/// Everything is of constant width, so a publish is a copy and a few stores.
public struct PublishTemplate: Sendable {
    /// The whole publish, with any numbers.
    public var bytes: [UInt8]
    /// Where the `LoadMark` is.
    public var mark: Int
    /// Where the last `LoadTopics.digits` digits of the topic's name are; nil where the name is not in it.
    public var topicDigits: Int?
    /// Where a UUID with dashes is, which is made unique; nil without one.
    public var identifier: Int?
    /// Where 16 hexadecimal digits are that number the publisher's requests; nil without them.
    public var request: Int?
    /// Where the masking key of a WebSocket frame is: all that follows is masked with it; nil where nothing is.
    public var maskingKey: Int?

    /// Makes a template of its bytes and the one place that all protocols have.
    public init(bytes: [UInt8], mark: Int) {
        self.bytes = bytes
        self.mark = mark
    }

    /// A payload of exactly so many bytes: a mark, then letters.
    ///
    /// The letters do not repeat in short periods, so that compression does not find them too easy, and hold nothing
    /// that JSON would escape.
    public static func payload(bytes count: Int) -> [UInt8] {
        precondition(count >= LoadMark.byteCount, "a payload holds its mark")
        var payload = [UInt8](repeating: 0, count: count)
        payload.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            LoadMark(publisher: 0, sequence: 0, time: 0).write(to: base)
        }
        let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_".utf8)
        var state: UInt64 = 0x2545_F491_4F6C_DD1D
        for place in LoadMark.byteCount..<count {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            payload[place] = letters[Int(state >> 58)]
        }
        return payload
    }
}
