import Testing

@testable import ApusServer

/// Revocations as the registry of a cluster has them.
@Suite struct RevocationNoteTests {
    @Test(arguments: [
        RevocationNote(id: nil, issuedBefore: 1_764_000_000_000, changed: 1_764_000_000_001),
        RevocationNote(id: 7, issuedBefore: 0, isGone: true, changed: 5),
    ])
    func `a note is read as it was written`(note: RevocationNote) {
        #expect(RevocationNote(note.text) == note)
    }

    @Test func `times that no note can have are bounded where it is written`() {
        let note = RevocationNote(id: nil, issuedBefore: .max, changed: -1)
        #expect(RevocationNote(note.text) == note)
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"issued_before":1}"#, #"{"issued_before":-1,"changed":1}"#,
        #"{"issued_before":"1","changed":1}"#, #"{"issued_before":9223372036854775808,"changed":1}"#,
    ])
    func `what no node writes is not read`(text: String) {
        #expect(RevocationNote(text) == nil)
    }
}
