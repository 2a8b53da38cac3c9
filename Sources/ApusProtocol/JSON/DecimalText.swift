/// A number in decimal digits, without a string of its own.
package struct DecimalText {
    /// The most digits of a number of 64 bits.
    private static let room = 20

    /// The digits are at the end.
    private var digits = InlineArray<20, UInt8>(repeating: UInt8(ascii: "0"))
    package private(set) var count = 0

    package init(_ number: UInt64) {
        var rest = number
        repeat {
            count += 1
            digits[Self.room - count] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
    }

    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: digits) { body(UnsafeRawBufferPointer(rebasing: $0[(Self.room - count)...])) }
    }
}
