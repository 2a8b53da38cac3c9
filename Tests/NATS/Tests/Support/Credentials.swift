#if NATS
import Foundation

/// An operator, accounts and a user as `nsc` would make them, for servers on this machine only.
enum Credentials {
    private static let operatorToken = """
        eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJVV0tYT1pDUzQ0M0gySFZYU09IUFVCUDR\
        UM0dNWU1OVU9GWEVES0M2SVk3VkQ0Ujc0WjVXUDRZIiwiaWF0IjoxNzY0MDAwMDAwLCJpc3MiOiJPQUdUVzdET1dLW\
        VQ0SzVUVFVZUEtJWVNWVFdJU0dSRVdHSjdCQktIVVJOT001NUxWR1dST0hYSiIsIm5hbWUiOiJ0ZXN0Iiwic3ViIjo\
        iT0FHVFc3RE9XS1lUNEs1VFRVWVBLSVlTVlRXSVNHUkVXR0o3QkJLSFVSTk9NNTVMVkdXUk9IWEoiLCJuYXRzIjp7I\
        nR5cGUiOiJvcGVyYXRvciIsInZlcnNpb24iOjIsInN5c3RlbV9hY2NvdW50IjoiQUMzWVJJVkxETDJJVUZISUk1NTV\
        ZTzdWV0FSTUczN0hSTUpBU0tGQkMzSVdURFpTQ0lFSDdYREkifX0.rgTTU-\
        QjjphcwY91Gv2uy6iELa0TObXRCtci2xVLHaFeMNOdTPvlU5_nA5zgDDO_CqMv36X4I6f0240vd2SuDQ
        """
    private static let account = "ADK4IMBKW4GRHWYPMDSJGV2BZODDDXFXWYSM3YW5KL36HTHP3FXU6GRU"
    private static let accountToken = """
        eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJZSlIzVUxQUVJSUVNOVjZST1JWUFkyNlk\
        2WFBORDZQNE9OMzQ3WUZCTEtaT1VRMkhKUERBWFBJIiwiaWF0IjoxNzY0MDAwMDAwLCJpc3MiOiJPQUdUVzdET1dLW\
        VQ0SzVUVFVZUEtJWVNWVFdJU0dSRVdHSjdCQktIVVJOT001NUxWR1dST0hYSiIsIm5hbWUiOiJBUFVTIiwic3ViIjo\
        iQURLNElNQktXNEdSSFdZUE1EU0pHVjJCWk9ERERYRlhXWVNNM1lXNUtMMzZIVEhQM0ZYVTZHUlUiLCJuYXRzIjp7I\
        mxpbWl0cyI6eyJzdWJzIjotMSwiZGF0YSI6LTEsInBheWxvYWQiOi0xLCJpbXBvcnRzIjotMSwiZXhwb3J0cyI6LTE\
        sIndpbGRjYXJkcyI6dHJ1ZSwiY29ubiI6LTEsImxlYWYiOi0xLCJtZW1fc3RvcmFnZSI6LTEsImRpc2tfc3RvcmFnZ\
        SI6LTEsInN0cmVhbXMiOi0xLCJjb25zdW1lciI6LTF9LCJ0eXBlIjoiYWNjb3VudCIsInZlcnNpb24iOjJ9fQ.tENS\
        RmPI62toOkiuLmcYP2AWKpkvaTltPzMft-e1gdkttskSVysUo01Ytn5u5k0wEsC8LgKueQL156E9xEemCQ
        """
    private static let systemAccount = "AC3YRIVLDL2IUFHII555YO7VWARMG37HRMJASKFBC3IWTDZSCIEH7XDI"
    private static let systemToken = """
        eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJHNU9UM1JUVDZKUVFWTFBZR0FMTFRDT1B\
        SNVJKVFJYNkJGNVlNTE9BWTJOTlc3QVVKNFBFNkVJIiwiaWF0IjoxNzY0MDAwMDAwLCJpc3MiOiJPQUdUVzdET1dLW\
        VQ0SzVUVFVZUEtJWVNWVFdJU0dSRVdHSjdCQktIVVJOT001NUxWR1dST0hYSiIsIm5hbWUiOiJTWVMiLCJzdWIiOiJ\
        BQzNZUklWTERMMklVRkhJSTU1NVlPN1ZXQVJNRzM3SFJNSkFTS0ZCQzNJV1REWlNDSUVIN1hESSIsIm5hdHMiOnsib\
        GltaXRzIjp7InN1YnMiOi0xLCJkYXRhIjotMSwicGF5bG9hZCI6LTEsImltcG9ydHMiOi0xLCJleHBvcnRzIjotMSw\
        id2lsZGNhcmRzIjp0cnVlLCJjb25uIjotMSwibGVhZiI6LTF9LCJ0eXBlIjoiYWNjb3VudCIsInZlcnNpb24iOjJ9f\
        Q.X2Ft3EHLVVV4zxbdrNDW_OWBqQmLji1a38kN6LqASyrK4d6nvwkoHXkeHoERCRiOrtaYz8JK4MElxF1fPaITDw
        """
    private static let userToken = """
        eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiIzT041VUtERFo2NkdNNVpGNEpLWks2Q1p\
        HVkxHREFLSFlDSTJKUUVHR1BBVDVXR0hTWlY3WEdBIiwiaWF0IjoxNzY0MDAwMDAwLCJpc3MiOiJBREs0SU1CS1c0R\
        1JIV1lQTURTSkdWMkJaT0RERFhGWFdZU00zWVc1S0wzNkhUSFAzRlhVNkdSVSIsIm5hbWUiOiJub2RlIiwic3ViIjo\
        iVUNIN1ZTV1ZGQUxGRlZXVVpPRVVYQ0o3SDJBUTRGNlZITVZBWkNRSVRFSzNZU0xTNDZZSEo2T08iLCJuYXRzIjp7I\
        nN1YnMiOi0xLCJkYXRhIjotMSwicGF5bG9hZCI6LTEsInR5cGUiOiJ1c2VyIiwidmVyc2lvbiI6Mn19.QKvV0H2COc\
        8U_uJyiRVkyfVJ7yXNHGnlOmx5txepGY8IdARFhh_h6raV6aBGegeZKW7-KufNzhHOXrzANv2HBw
        """
    private static let seed = "SUAPCJNZV7TMUDJXABWVDXVX4KO2CIBQUU3C7NZ6OUKUDYVHALLVLDVNFA"
    /// Of somebody else.
    private static let otherSeed = "SUAM5PGKAHUKEYUQN4LPZZSNT4AQCXBYDKPTKQNJQLLHHYXR6NMZJ5KCAI"

    /// What makes a server ask for such credentials.
    static let configuration = """
        operator: \(operatorToken)
        system_account: \(systemAccount)
        resolver: MEMORY
        resolver_preload: { \(account): \(accountToken), \(systemAccount): \(systemToken) }
        """

    /// Writes the file of the user, or one with a key that is not the user's, and returns its path.
    static func file(isRight: Bool) throws -> String {
        let text = """
            -----BEGIN NATS USER JWT-----
            \(userToken)
            ------END NATS USER JWT------

            -----BEGIN USER NKEY SEED-----
            \(isRight ? seed : otherSeed)
            ------END USER NKEY SEED------

            """
        let file = FileManager.default.temporaryDirectory.appending(path: "apus-nats-\(UUID().uuidString).creds")
        try Data(text.utf8).write(to: file)
        return file.path
    }
}
#endif
