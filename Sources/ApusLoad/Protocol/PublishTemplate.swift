/// A publish as it goes to the socket, with the offsets of the numbers that differ between publishes.
///
/// All numbers have a constant width. Making a publish takes one copy and a few stores.
public struct PublishTemplate: Sendable {
    /// The whole publish, with placeholder numbers.
    public var bytes: [UInt8]
    /// The offset of the `LoadMark`.
    public var mark: Int
    /// The offset of the last `LoadTopics.digits` digits of the topic's name; `nil` if the name is not in the publish.
    public var topicDigits: Int?
    /// The offset of a dashed UUID, which is made unique; `nil` if there is none.
    public var identifier: Int?
    /// The offset of the 16 hexadecimal digits that number the publisher's requests; `nil` if there are none.
    public var request: Int?
    /// The offset of a WebSocket frame's masking key, which masks everything after it; `nil` if nothing is masked.
    public var maskingKey: Int?

    /// Makes a template from its bytes and the one offset that all protocols have.
    public init(bytes: [UInt8], mark: Int) {
        self.bytes = bytes
        self.mark = mark
    }

    /// A payload of exactly `count` bytes: a mark, then letters.
    ///
    /// The letters do not repeat in short periods, so that the payload does not compress too well. JSON need not escape
    /// any of them.
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
