import Testing

@testable import apus

@Suite("Manual pages")
struct ManualPageTests {
    @Test func `are made for every command, each once`() throws {
        let pages = ManualCommand.pages(try HelpTree.ofProgram().command, parents: [])
        let names = pages.map(\.fileName)
        #expect(names.first == "apus.1" && Set(names).count == names.count)
        #expect(
            names.contains("apus-topics-create.1") && !names.contains("apus-echo.1") && !names.contains("apus-help.1")
        )
        let again = ManualCommand.pages(try HelpTree.ofProgram().command, parents: [])
        #expect(pages.map(\.text) == again.map(\.text))
    }

    @Test func `have their words escaped for roff`() {
        #expect(ManualPage.escaped("--a 'b' \\ ~^`") == #"\-\-a \(aqb\(aq \e \(ti\(ha\(ga"#)
        #expect(ManualPage.escaped(".TH") == #"\&.TH"#)
        #expect(ManualPage.escaped("'x").hasPrefix("'") == false)
    }

    @Test func `have what the help says`() {
        let command = HelpTree.Command(
            commandName: "do",
            abstract: "Do it.",
            discussion: "First.\nSecond.\n\nExamples:\n  apus do 'x'\n  .dot\n\nLast.",
            arguments: [
                .init(
                    kind: "positional",
                    valueName: "topic",
                    abstract: "The topic.",
                    isOptional: false,
                    isRepeating: true,
                    shouldDisplay: true
                ),
                .init(
                    kind: "option",
                    names: [.init(kind: "long", name: "rate")],
                    valueName: "n",
                    abstract: "How fast.",
                    defaultValue: "5",
                    isOptional: true,
                    isRepeating: false,
                    shouldDisplay: true,
                    sectionTitle: "More"
                ),
            ]
        )
        let text = ManualPage(command, parents: ["apus"]).text
        for part in [
            ".TH \"APUS\\-DO\" 1", "apus\\-do \\- Do it\n", "\\fBapus do\\fR [\\fIoptions\\fR] \\fI<topic>\\fR...\n",
            ".PP\nFirst.\nSecond.\n.PP\nExamples:\n.PP\n.RS 4\n.nf\napus do \\(aqx\\(aq\n\\&.dot\n.fi\n.RE\n",
            ".SS \"More\"\n.TP\n\\fB\\-\\-rate\\fR \\fI<n>\\fR\nHow fast. (default: 5)\n", "\\fBapus\\fR(1)\n",
        ] {
            #expect(text.contains(part), "\(part) in \(text)")
        }
        #expect(!text.contains("\n\n"))
    }
}
