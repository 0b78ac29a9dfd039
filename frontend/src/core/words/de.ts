/** The same in German. A text that is missing here is an error of types. */
import type { Words } from "./en";

const one = (count: number, single: string, many: string): string => `${count} ${count === 1 ? single : many}`;
const answers = (count: number): string => one(count, "Antwort", "Antworten");

export const de: Words = {
  language: "de-DE",
  login: {
    again: "In einem neuen Tab wieder anmelden",
    againAs: (name) => `In einem neuen Tab als ${name} anmelden`,
    expired: "Ihre Anmeldung ist abgelaufen.",
    waiting: "Es wird auf Ihre Anmeldung gewartet.",
    comeBack: (consequence) => ` und hierher zurückkehren: Die Bewertung geht von selbst weiter. ${consequence}`,
    notSent: "Ihre Anmeldung ist abgelaufen, deshalb wurde nichts gesendet. ",
    sendOnceMore: ", zurückkehren und noch einmal senden: Was Sie eingegeben haben, steht noch hier.",
    notNew: "Ihre Anmeldung ist abgelaufen, deshalb zeigt diese Seite nichts Neues mehr. ",
    goesOn: ": Danach geht es von selbst weiter.",
    keptForm:
      "Ihre Anmeldung war abgelaufen, deshalb wurde dies nicht gespeichert. Ihre Eingaben stehen wieder da, außer " +
      "Passwörtern und Dateien: Bitte prüfen Sie sie und senden Sie sie noch einmal.",
  },
  server: {
    loggedOut: "Sie sind abgemeldet.",
    unreachable: "Der Server ist nicht erreichbar. Bitte prüfen Sie die Netzwerkverbindung.",
    notSent:
      "Der Server ist nicht erreichbar, deshalb wurde nichts gesendet. Bitte prüfen Sie die Netzwerkverbindung und " +
      "versuchen Sie es noch einmal.",
    refused:
      "Der Server hat dies abgelehnt. Ihr Konto darf es nicht, oder die Seite ist zu alt: Bitte laden Sie sie neu.",
    notYours: "Sie sind abgemeldet, oder dies ist für Ihr Konto nicht freigegeben.",
    gone: "Dies gibt es nicht (mehr).",
    trouble: (status) =>
      `Auf dem Server ist ein Fehler aufgetreten (${status}). Bitte versuchen Sie es gleich noch einmal.`,
    status: (status) => `Der Server hat mit dem Status ${status} geantwortet.`,
    triesAgain: (message) => `${message} Diese Seite versucht es von selbst noch einmal.`,
  },
  keys: {
    // As on a German keyboard: where an English one has Z there is Y.
    names: {
      KeyY: "Z",
      KeyZ: "Y",
      Equal: "´",
      Minus: "ß",
      PageUp: "Bild ↑",
      PageDown: "Bild ↓",
      Home: "Pos 1",
      Comma: ",",
      Period: ".",
      Slash: "-",
    },
    enter: "Enter",
    end: "Ende",
    remove: "Entf",
    controlEnter: "Strg Enter",
    wheelArrows: "Mausrad, ↑ ↓",
    rightDrag: "Rechts ziehen",
    shiftDrag: "Umschalt + ziehen",
    stepBack: "Esc, Rücktaste",
    drag: "Ziehen",
    digitsArrows: "Ziffern, ← →",
    click: "Klick",
    enterArrowsEnter: "Enter, Pfeile, Enter",
    delete: "Entf",
  },
  view: {
    image: "Bild",
    imageNumber: (number) => `Bild ${number}`,
    slider: (name) => `${name}: Schicht`,
    loading: "lädt",
    label: (name, slice, slices) => `${name}, Schicht ${slice} von ${slices}`,
    preset: (center, width) => `Zentrum ${center} HU, Breite ${width} HU`,
    windows: { Liver: "Leber", "Soft tissue": "Weichteil", Lung: "Lunge", Bone: "Knochen" },
    notShownYet: "Der Fall ist noch nicht auf dem Bildschirm.",
    noRoom:
      "Das Bild hat auf diesem Bildschirm keinen Platz. Vergrößern Sie das Fenster oder verkleinern Sie die Ansicht " +
      "(Strg und −), um zu antworten.",
    arrived: (arrived, slices) =>
      `${arrived} von ${slices} Schichten sind geladen. Sie können antworten, sobald der Fall vollständig ist.`,
    sliceNotShown: "Diese Schicht ist noch nicht auf dem Bildschirm.",
  },
  choose: {
    findInList: "In der Liste suchen",
    find: "Suchen",
    tick: "Alle gezeigten ankreuzen",
    clear: "Alle gezeigten abwählen",
    ticked: (ticked, all) => `${ticked} von ${all} angekreuzt`,
    tickedOfShown: (ticked, all, shown) => `${ticked} von ${all} angekreuzt, ${shown || "keine"} gezeigt`,
  },
  upload: {
    folder: "oder ein ganzer Ordner (eine DICOM-Serie, ein Satz wie LiTS)",
    files: (count, size) => `${one(count, "Datei", "Dateien")}, ${size}`,
    tooMany: (count, most) =>
      `Das sind ${count} Dateien; ${most} können auf einmal gesendet werden. Packen Sie sie in ein ZIP, das als eine zählt.`,
    tooLarge: (size, most) =>
      `Die Dateien haben ${size}; ${most} können auf einmal gesendet werden. Senden Sie sie in Teilen.`,
    broke:
      "Die Verbindung brach ab, während die Dateien gesendet wurden. Nichts wurde importiert. Versuchen Sie es noch einmal.",
    sent: (size, all) => `${size} von ${all} gesendet`,
    looking: "Gesendet. Der Server prüft die Dateien.",
    more: (count) => ` und ${count} weitere`,
  },
  saved: {
    why: {
      offline: "Keine Verbindung",
      server: "Störung auf dem Server",
      interposed: "Etwas anderes antwortet anstelle des Servers",
      "logged-out": "Abgemeldet",
      "other-login": "Andere Anmeldung",
      held: "Die Studie ist geschlossen",
    },
    toDecide: (count) => `${one(count, "Antwort wartet", "Antworten warten")} auf Ihre Entscheidung`,
    notTaken: (count) => `${answers(count)} vom Server nicht angenommen`,
    all: "Alle Antworten gespeichert",
    allOfThis: (others) =>
      `Alle Antworten dieser Sitzung gespeichert; ${one(others, "Antwort einer anderen bleibt", "Antworten einer anderen bleiben")} hier aufbewahrt`,
    saving: (waiting) => `Wird gespeichert, ${waiting} ausstehend`,
    keptHere: (why, count) => `${why}: ${one(count, "Antwort bleibt", "Antworten bleiben")} hier aufbewahrt`,
    keptInPage: (why, count) =>
      `${why}: ${one(count, "Antwort ist", "Antworten sind")} nur auf dieser Seite aufbewahrt: bitte geöffnet lassen`,
  },
  time: {
    lessThanAMinute: "noch weniger als eine Minute",
    minutes: (minutes) => `noch etwa ${minutes} min`,
    hours: (hours) => `noch etwa ${hours} h`,
  },
  room: {
    read: "Bewertete Fälle",
    done: (done, total) => `${done} von ${total}`,
    howSure: "Wie sicher sind Sie?",
    changeAnswer: "Antwort ändern (Esc)",
    stepBack: "Einen Schritt zurück (Esc)",
    previous: "Voriger Fall",
    pause: "Pause",
    stop: "Unterbrechen",
    goOn: "Weiter",
    instructions: "Anleitung",
    atTheEnd: "Zum Abschluss dieser Sitzung",
    question: (number, count) => `Frage ${number} von ${count}`,
    giveAnswer: "Diese Antwort geben",
    typeNumber: "Zahl eingeben, oder ← → oder den Schieberegler benutzen.",
    notSet: "nicht gesetzt",
    rest: (minutes) =>
      `Sie bewerten seit ${minutes} Minuten. Eine kurze Pause hält das Auge frisch; alles ist gespeichert.`,
    otherLogin: (reader) =>
      `In diesem Browser ist jemand anderes angemeldet, oder dies ist nicht die Sitzung von ${reader}.`,
    practice: "Übung: nichts wird gespeichert",
    preview: "Vorschau: nichts wird gespeichert",
    practiceNote:
      "Dies ist eine Übung: Die Fälle gehören zu keiner Studie, und keine Ihrer Antworten wird gespeichert.",
    previewNote: "Dies ist eine Vorschau: Alles ist wie für Bewertende, und nichts wird gespeichert.",
    elsewhere: "Diese Sitzung ist in einem anderen Tab geöffnet. Jener nimmt Ihre Antworten an, dieser nicht.",
  },
  tools: {
    left: { window: "Fenster", scroll: "Blättern", pan: "Verschieben", zoom: "Zoom", length: "Länge" },
    drag: (tool) => `Ziehen: ${tool}`,
    keepWindow: "Fenster behalten",
  },
  keysPanel: {
    title: "Tasten und Maus",
    sets: "Tastenbelegungen",
    mouseRight: "Maus rechts",
    mouseLeft: "Maus links",
    asAtFirst: "Zurücksetzen",
    nowRight: "Tasten für die Maus in der rechten Hand.",
    nowLeft: "Tasten für die Maus in der linken Hand.",
    nowAsAtFirst: "Tasten und linke Maustaste sind wie zu Beginn.",
    leftButton: "Linke Maustaste: ",
    choose: "Andere Taste wählen",
    chooseFor: ": andere Taste wählen",
    press: (meaning) => `Drücken Sie die Taste für „${meaning}“. Esc lässt alles, wie es ist.`,
    isNow: (key, meaning) => `${key} ist jetzt für „${meaning}“.`,
    reserved: "Diese Taste braucht der Browser oder das System. Drücken Sie eine andere.",
    fixed: "Diese Taste hat eine eigene Bedeutung. Drücken Sie eine andere.",
    taken: (meaning) =>
      `Diese Taste ist für „${meaning}“. Drücken Sie eine andere, oder ändern Sie zuerst jene Belegung.`,
    scroll: "blättern (Einzelbild: zoomen)",
    zoom: "zoomen",
    move: "Bild verschieben",
    stepBack: "einen Schritt zurück",
    meanings: {
      answer1: "erste Antwort",
      answer2: "zweite Antwort",
      level1: "Sicherheit, 1. Stufe",
      level2: "2. Stufe",
      level3: "3. Stufe",
      level4: "4. Stufe",
      level5: "5. Stufe",
      level6: "6. Stufe",
      scale1: "1. Stufe oder Auswahl",
      scale2: "2. Stufe oder Auswahl",
      scale3: "3. Stufe oder Auswahl",
      scale4: "4. Stufe oder Auswahl",
      scale5: "5. Stufe oder Auswahl",
      scale6: "6. Stufe oder Auswahl",
      scale7: "7. Stufe oder Auswahl",
      scale8: "8. Stufe oder Auswahl",
      scale9: "9. Stufe oder Auswahl",
      scale10: "10. Stufe oder Auswahl",
      cannotTell: "nicht zu entscheiden",
      back: "voriger Fall",
      liver: "Leberfenster",
      softTissue: "Weichteilfenster",
      lung: "Lungenfenster",
      bone: "Knochenfenster",
      keepWindow: "mein Fenster von Fall zu Fall behalten",
      tool: "was die linke Maustaste tut",
      reset: "Bild und Fenster wie zu Beginn",
      marker: "Ring aus- oder einblenden",
      home: "zur zuerst gezeigten Schicht",
      slicesBack: "fünf Schichten zurück",
      slicesOn: "fünf Schichten weiter",
      zoomIn: "größer",
      zoomOut: "kleiner",
      fullScreen: "Vollbild",
      pause: "Pause",
    },
  },
  marks: {
    place: "Markierte Stelle",
    places: "Markierte Stellen",
    byKeys: "Mit Tasten",
    next: "Nächste",
    remove: "Entfernen",
    clear: "Löschen",
    askedForOne: "Stelle markieren: anklicken, oder Enter und Pfeiltasten.",
    asked: "Jede Stelle markieren: anklicken, oder Enter und Pfeiltasten.",
    placing: "Pfeile bewegen das Kreuz (Umschalt: schneller), Enter setzt es.",
    none: "Markieren Sie zuerst eine Stelle, oder antworten Sie, dass nichts zu markieren ist.",
    some: "Es sind Stellen markiert: Entfernen Sie sie, oder antworten Sie, dass alles markiert ist.",
    confidence: "Wie sicher sind Sie?",
    reason: "Warum?",
    ofThisPlace: (question) => `Zu dieser Stelle: ${question}`,
    ofPlace: (number, question) => `Stelle ${number}: ${question}`,
    standing: (count) => (count === 1 ? "Eine Stelle ist markiert." : `${count} Stellen sind markiert.`),
    onSlice: (slice) => `Auf Schicht ${slice} ist eine Stelle markiert.`,
    isMarked: "Eine Stelle ist markiert.",
    slice: (slice) => `Schicht ${slice}`,
    keyMark: "Stelle markieren",
    keyByKeys: "Stelle mit Tasten markieren; Bild ↑ und Bild ↓ wechseln die Schicht",
    keyClear: "Markierung löschen",
    keyRemove: "Markierung entfernen",
    keyNext: "nächste Markierung, um sie zu ändern",
  },
  told: {
    right: "Richtig",
    wrong: "Nicht richtig",
    neither: "Weder richtig noch falsch",
    hit: "Eine Ihrer Marken liegt auf dem, was verändert wurde.",
    missed: "Keine Ihrer Marken liegt auf dem, was verändert wurde.",
    goOn: "Weiter",
    mayBeShown: "Sie können jetzt sehen, was jeder Fall war. Danach lässt sich keine Antwort mehr ändern.",
    tellNobody: "Bitte sagen Sie es niemandem, der diese Studie noch liest.",
    show: "Zeigen, was die Fälle waren",
    title: "Was die Fälle waren",
    sum: (right, judged) => `${right} von ${judged} Antworten waren richtig.`,
    ofCase: "Fall",
    yourAnswer: "Ihre Antwort",
    was: "Was es war",
    judged: "Richtig oder nicht",
  },
  covers: {
    start: "Bewertung beginnen",
    practise: "Zuerst üben",
    mayPractise:
      "Sie können Tasten und Maus zuerst an einigen Übungsfällen ausprobieren. Davon wird nichts gespeichert.",
    practice: "Übung",
    practiceIs:
      "Einige Fälle zum Ausprobieren, die zu keiner Studie gehören. Keine Ihrer Antworten wird gespeichert oder " +
      "beurteilt; eine richtige Antwort gibt es hier nicht. Alle Tasten lassen sich unter „Tasten und Maus“ ändern.",
    throughSlices: "durch die Schichten; Einzelbild: zoomen",
    leftButton: "was für die linke Maustaste eingestellt ist: zu Beginn das Fenster",
    theNumber: (lowest, highest) => `die Zahl, ${lowest} bis ${highest}`,
    givesIt: "gibt sie als Antwort",
    theAnswer: (name) => `die Antwort „${name}“`,
    howSure: (label) => `nach der Antwort, wie sicher Sie sind: „${label}“`,
    stepBack: "einen Schritt zurück",
    pause: "Pause: Die Zeit des Falls steht still",
    begin: "Beginnen",
    practised: "Das war die Übung",
    notStored: "Davon wurde nichts gespeichert. Geänderte Tasten bleiben in diesem Browser, wie sie sind.",
    toReading: "Zur Bewertung",
    practiseAgain: "Noch einmal üben",
    thanks: "Vielen Dank",
    previewEnds: "Hier endet die Vorschau. Nichts wurde gespeichert.",
    backToStudy: "Zurück zur Studie",
    nearlyDone: "Fast geschafft",
    missing: (total, count) =>
      `Alle ${total} Fälle sind bewertet, aber ${one(count, "Antwort ist", "Antworten sind")} nicht angekommen; ` +
      "siehe oben.",
    finished: (total) =>
      `Alle ${total} Fälle sind bewertet, und jede Antwort dazu ist gespeichert. Sie können diese Seite schließen.`,
    toMyReading: "Zu meinen Sitzungen",
    ofOthers: (count) =>
      `${one(count, "Antwort von Ihnen zu einer anderen Sitzung bleibt", "Antworten von Ihnen zu einer anderen Sitzung bleiben")} ` +
      "in diesem Browser, bis der Server sie angenommen hat; er wird jedes Mal wieder gefragt, wenn Sie hier bewerten. Bleibt " +
      "das so, benachrichtigen Sie bitte die Leitung jener Studie.",
    closed: "Diese Sitzung ist geschlossen",
    takesNoMore: (rest) => `Die Studie nimmt von Ihnen keine Antworten mehr an. ${rest}`,
    beforeIsSaved: "Was Sie vorher geantwortet haben, ist gespeichert.",
    notInTime: (count) =>
      `${one(count, "Antwort ist", "Antworten sind")} nicht rechtzeitig angekommen. Sie bleiben in diesem Browser und ` +
      "werden wieder angeboten, wenn die Studie wieder geöffnet wird; bitte benachrichtigen Sie die Studienleitung.",
    savingLast: "Ihre letzten Antworten werden gespeichert. Bitte lassen Sie diese Seite geöffnet.",
    savingBefore: (count) =>
      `Die nächsten Fälle können erst geladen werden, wenn ${one(count, "Antwort", "Antworten")} gespeichert ` +
      `${count === 1 ? "ist" : "sind"}. Bitte lassen Sie diese Seite geöffnet; es geht von selbst weiter.`,
    paused: "Pause",
    timeStands: "Die Zeit dieses Falls steht still, und alle Ihre Antworten bleiben erhalten.",
    goOn: "Weiter",
    stillYou: (reader) => `Sind Sie noch ${reader}?`,
    nothingMoved: "Hier hat sich eine Weile nichts bewegt, deshalb ist das Bild verdeckt und die Zeit steht still.",
    noPassword:
      "Zum Weitermachen braucht es kein Passwort: Die Anmeldung ist noch Ihre. Wer den Computer anderen überlässt, sollte " +
      "diese Sitzung verlassen und sich abmelden.",
    goOnAs: (reader) => `Weiter als ${reader}`,
    somebodyElse: "Ich bin jemand anderes",
    leave: ": diese Sitzung verlassen.",
    elsewhere: "Diese Sitzung ist in einem anderen Tab geöffnet",
    onePage: "Nur eine Seite auf einmal nimmt Ihre Antworten an, damit keine unbemerkt eine andere ersetzt.",
    readHere: "Stattdessen hier bewerten",
    broken: "Der Befundungsraum konnte nicht geöffnet werden",
    brokenBecause: (reason) => `${reason} Ihre bisherigen Antworten bleiben erhalten.`,
    loadAgain: "Neu laden",
    revisit: (answerBefore) =>
      `Sie sehen den vorigen Fall noch einmal${answerBefore === undefined ? "" : ` (Ihre Antwort war ${answerBefore})`}. ` +
      "Eine neue Antwort ersetzt die frühere; Esc lässt sie, wie sie ist.",
    ringOnSlice: (slice) => `Der Ring liegt auf Schicht ${slice}.`,
    ringShows: "Der Ring zeigt die Stelle.",
    changed: (here) => `Sie haben eine Antwort in ${here} geändert, aber die frühere hat den Server nie erreicht. `,
    take: (answer) => `${answer} übernehmen`,
    giveUp: "Verwerfen",
    twice: (there, time, here) =>
      `Sie haben einen Fall zweimal beantwortet: ${there} an anderer Stelle um ${time}, ${here} in diesem Browser. ` +
      "Welche Antwort zählt? ",
    keep: (answer) => `${answer} behalten`,
    notTaken: (count, reasons, held) =>
      `Der Server hat ${answers(count)} nicht angenommen: ${reasons} Eine Kopie bleibt in diesem Browser.` +
      `${held ? " Sie werden wieder angeboten, solange diese Seite geöffnet ist." : ""} `,
    show: "Anzeigen",
  },
  display: {
    corners: ["Oben links", "Oben rechts", "Unten links", "Unten rechts"],
    corner: "Ecke",
    check: "Bildschirm prüfen",
    skip: "Überspringen",
    field: "Ein Feld mit einem Quadrat darin",
    none: "Ich sehe keines",
    where: "In welcher Ecke ist das Quadrat?",
    goodEnough: "Ist dieser Bildschirm gut genug?",
    fourFields:
      "Vier Felder, dunkle und helle, jedes mit einem Quadrat, das kaum heller oder dunkler ist. Geben Sie an, in " +
      "welcher Ecke es ist. Es dauert eine Viertelminute; der Raum sollte so dunkel und der Bildschirm so hell sein, " +
      "wie Sie bewerten werden.",
    required:
      "Diese Studie verlangt die Prüfung, bevor Sie bewerten. Was Sie gefunden haben und die Größe Ihres Bildschirms " +
      "werden mit Ihren Antworten aufbewahrt.",
    advised:
      "Was Sie gefunden haben und die Größe Ihres Bildschirms werden mit Ihren Antworten aufbewahrt. Sie können auch " +
      "ohne die Prüfung fortfahren.",
    notFound: "Einige der Quadrate wurden nicht gefunden",
    flat:
      "Dunkle oder helle Lebern können auf diesem Bildschirm flach wirken. Erhöhen Sie seine Helligkeit, schalten Sie " +
      "Nachtfarben und Energiesparen aus, vermeiden Sie Lichteinfall und versuchen Sie es noch einmal; oder bewerten " +
      "Sie an einem anderen Bildschirm.",
    onlyPassed: "Diese Studie wird nur nach einer bestandenen Prüfung bewertet.",
    goOnNoted: "Sie können auch so fortfahren; es wird vermerkt.",
    notStored: "Die Prüfung konnte nicht gespeichert werden",
    networkThere:
      "Der Server hat nicht wie erwartet geantwortet. Bitte prüfen Sie die Netzwerkverbindung und versuchen Sie es " +
      "noch einmal.",
  },
};
