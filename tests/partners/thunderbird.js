// What the tests' scripts may say to Thunderbird's main window. It stands before each of them.

const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");

const panes = () => document.getElementById("tabmail").currentAbout3Pane;
const server = () => MailServices.accounts.getIncomingServer("server1");

/** Keep the password where the program keeps what people let it remember. */
async function remember(origin, user, password) {
  const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
  login.init(origin, null, origin, user, password, "", "");
  await Services.logins.addLoginAsync(login);
}

const folder = (name) =>
  server().rootFolder.descendants.find((each) => each.URI.endsWith(`/${name}`));

/** The names in the tree of folders, this account's first. */
function folders() {
  const rows = panes().folderTree.querySelectorAll(`[data-server-key="server1"] li .name`);
  return Array.from(rows, (row) => row.textContent);
}

/** Click a folder. */
const go = (name) => panes().displayFolder(folder(name).URI);

/** The list of messages: what the card of each subject is marked with. */
function cards() {
  const shown = {};
  for (const card of panes().threadTree.querySelectorAll("[is=thread-card]")) {
    // A card that was made this instant is still empty.
    const marks = card.dataset.properties?.split(" ") ?? [];
    shown[card.querySelector(".subject")?.textContent] = marks
      .filter((mark) => ["flagged", "unread"].includes(mark))
      .sort();
  }
  return shown;
}

/** Click a message in the list. */
function choose(subject) {
  const { threadTree, gDBView } = panes();
  for (let place = 0; place < threadTree.view.rowCount; place++) {
    if (gDBView.getMsgHdrAt(place).mime2DecodedSubject == subject) {
      threadTree.selectedIndex = place;
      return;
    }
  }
  throw new Error(`no ${subject} in the list`);
}

/** The words of the message that is open. */
function reading() {
  const pane = panes().messageBrowser.contentWindow?.getMessagePaneBrowser();
  return pane?.contentDocument?.body?.textContent.trim() ?? "";
}

/** Do what a menu does with the chosen message. */
const command = (name, ...words) => panes().commandController.doCommand(name, ...words);

/** Search the folder on the server, as the dialogue does; the subjects found. */
function search(name, attribute, text) {
  const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(
    Ci.nsIMsgSearchSession
  );
  session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder(name));
  const term = session.createTerm();
  const value = term.value;
  term.attrib = value.attrib = Ci.nsMsgSearchAttrib[attribute];
  value.str = text;
  term.value = value;
  term.op = Ci.nsMsgSearchOp.Contains;
  session.appendTerm(term);
  return new Promise((resolve, reject) => {
    const found = [];
    session.registerListener({
      onNewSearch() {},
      onSearchHit: (header) => found.push(header.mime2DecodedSubject),
      onSearchDone: (status) =>
        Components.isSuccessCode(status) ? resolve(found.sort()) : reject(new Error(status)),
    });
    session.search(null);
  });
}

/** Open a window with a new message, from the identity of the account. */
function write(to, subject, body) {
  const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(
    Ci.nsIMsgComposeParams
  );
  const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(
    Ci.nsIMsgCompFields
  );
  Object.assign(fields, { to, subject, body });
  params.composeFields = fields;
  params.type = Ci.nsIMsgCompType.New;
  params.format = Ci.nsIMsgCompFormat.PlainText;
  params.identity = MailServices.accounts.defaultAccount.defaultIdentity;
  MailServices.compose.OpenComposeWindowWithParams(null, params);
}

const writing = () => Services.wm.getMostRecentWindow("msgcompose");
