/// A count with its noun: `1 topic`, `2 topics`.
///
/// - Parameter written: how the number is written, if not plainly.
package func counted(_ count: some BinaryInteger, _ noun: String, written: String? = nil) -> String {
    "\(written ?? "\(count)") \(noun)\(count == 1 ? "" : "s")"
}
