/// A server's text frame: written here once more, so that the product's code is not its own judge.
func textFrame(_ text: String) -> [UInt8] {
    let count = text.utf8.count
    let length: [UInt8] =
        switch count {
        case 0..<126: [UInt8(count)]
        case 126...0xFFFF: [126, UInt8(count >> 8), UInt8(count & 0xFF)]
        default: [127] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
        }
    return [0x81] + length + Array(text.utf8)
}
