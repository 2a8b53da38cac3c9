import ApusProtocol
import NIOCore

extension Batch {
    /// Whether the frames are events of this topic, keys texts and traces traces, as far as readers depend on it:
    /// somebody else may have written them.
    package var isSound: Bool {
        let hasTexts = (details?.all ?? []).allSatisfy { detail in
            detail.key.map(Self.isText) ?? true && detail.trace.map(TraceContext.isJSON) ?? true
        }
        return hasTexts
            && base.bytes.withUnsafeReadableBytes { bytes in
                (0..<count).allSatisfy { index in
                    let (start, end) = (base.start(of: index), base.end(of: index))
                    return start < end && end <= bytes.count
                        && template.recognizes(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                }
            }
    }

    private static func isText(_ json: [UInt8]) -> Bool {
        json.first == UInt8(ascii: "\"") && json.withUnsafeBytes { JSONDocument.isValid($0) }
    }
}
