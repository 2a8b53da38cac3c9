import Testing

@testable import ApusServer

@Suite struct AcceptedTypesTests {
    @Test(arguments: [
        ["text/html"], ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], ["TEXT/HTML"],
        ["application/json;q=0.9", "text/html"], ["text/*"], ["text/html; charset=utf-8 ;q=0.2, */*;q=0.1"],
        ["text/html;q=1, application/json;q=0.999"], ["text/html;q=7, application/json;q=0.5"],
    ])
    func `a browser wants the page`(fields: [String]) {
        #expect(AcceptedTypes(fields).prefersPage)
    }

    @Test(arguments: [
        [], [""], ["*/*"], ["application/json"], ["text/html, application/json"], ["text/html;q=0"],
        ["text/html;q=0.5, */*"], ["text/plain"], ["text/html;q=0.5", "application/*"], ["text/html;q=x"],
        ["text/html;q=0.1, text/*, application/json;q=0.2"], [",;q=1,,"], ["text/html;q=nan"], ["text/html;q=-1"],
    ])
    func `everybody else wants JSON`(fields: [String]) {
        #expect(!AcceptedTypes(fields).prefersPage)
    }
}
