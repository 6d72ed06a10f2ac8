// A certified OpenID provider on this machine, for one test: node server.mjs PORT CALLBACK RETURN.
// Its own pages ask for a name and consent; whoever signs in is in the group "staff-ops".
import { Provider } from 'oidc-provider';

const [port, callback, afterwards] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'atalaya',
    client_secret: 'a-secret-of-the-client',
    redirect_uris: [callback],
    post_logout_redirect_uris: [afterwards],
  }],
  claims: { openid: ['sub', 'groups', 'acr', 'amr'], profile: ['preferred_username', 'given_name'] },
  conformIdTokenClaims: false,
  findAccount: (context, id) => ({
    accountId: id,
    claims: () => ({
      sub: id, groups: ['staff-ops'], preferred_username: id, given_name: 'Ana',
    }),
  }),
  cookies: { keys: ['for-tests-only'] },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
