import * as ts from 'typescript/unstable/ast';

/** A fault of one token: the text from `start` to `end` reads `after`. */
export interface Fault {
  readonly start: number;
  readonly end: number;
  readonly before: string;
  readonly after: string;
}

const OPERATORS: Readonly<Record<string, string>> = {
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '**': '*',
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '&&': '||',
  '||': '&&',
  '??': '&&',
  '&': '|',
  '|': '&',
  '^': '|',
  '<<': '>>',
  '>>': '<<',
  '>>>': '<<',
  '+=': '-=',
  '-=': '+=',
  '*=': '/=',
  '/=': '*=',
  '??=': '=',
};

/** Names of functions by what they are easily mistaken for. */
const NAMES: Readonly<Record<string, string>> = {
  max: 'min',
  min: 'max',
  ceil: 'floor',
  floor: 'ceil',
  round: 'floor',
  trunc: 'ceil',
  sin: 'cos',
  cos: 'sin',
  every: 'some',
  some: 'every',
};

/** Every fault of one token in the code of a file: not in its types, its imports and the texts of its errors. */
export function faultsOf(source: ts.SourceFile): Fault[] {
  const faults: Fault[] = [];
  const put = (node: ts.Node, after: string) => {
    const start = node.getStart(source);
    faults.push({ start, end: node.end, before: source.text.slice(start, node.end), after });
  };
  const visit = (node: ts.Node): void => {
    if (isNoCode(node)) return;
    for (const [place, after] of changesOf(node, source)) put(place, after);
    node.forEachChild((child) => visit(child));
  };
  source.forEachChild((child) => visit(child));
  return faults;
}

function isNoCode(node: ts.Node): boolean {
  if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return true;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return true;
  // What an error says is prose.
  return ts.isThrowStatement(node) || (ts.isNewExpression(node) && /Error$/.test(node.expression.getText()));
}

type Change = readonly [place: ts.Node, after: string];

function changesOf(node: ts.Node, source: ts.SourceFile): Change[] {
  if (ts.isBinaryExpression(node)) return operatorChanges(node, source);
  if (ts.isNumericLiteral(node)) return isFallbackOfIndex(node) ? [] : numberChanges(node, source);
  if (node.kind === ts.SyntaxKind.TrueKeyword) return [[node, 'false']];
  if (node.kind === ts.SyntaxKind.FalseKeyword) return [[node, 'true']];
  if (ts.isPrefixUnaryExpression(node)) return signChanges(node, source);
  if (ts.isIfStatement(node) && exits(node.thenStatement)) return [[node.expression, 'false']];
  if (ts.isConditionalExpression(node) && !isEquality(node.condition)) {
    return [[node.condition, `!(${node.condition.getText(source)})`]];
  }
  if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
    const { name } = node.expression;
    const after = Object.hasOwn(NAMES, name.text) ? NAMES[name.text] : undefined;
    return after === undefined ? [] : [[name, after]];
  }
  return [];
}

function operatorChanges(node: ts.BinaryExpression, source: ts.SourceFile): Change[] {
  const operator = node.operatorToken.getText(source);
  const after = OPERATORS[operator];
  if (after === undefined || isStepOfLoop(node)) return [];
  if (operator === '+' && [node.left, node.right].some(isText)) return [];
  return [[node.operatorToken, after]];
}

/** One more and one less; of a fraction, the last digit. */
function numberChanges(node: ts.NumericLiteral, source: ts.SourceFile): Change[] {
  const text = node.getText(source);
  const value = Number(text.replaceAll('_', ''));
  if (Number.isInteger(value) && value < 2 ** 50) {
    return [value + 1, value - 1].filter((each) => each >= 0).map((each): Change => [node, String(each)]);
  }
  const mantissa = /^[\d._]*\d/.exec(text)?.[0] ?? text;
  const digit = Number(mantissa.at(-1));
  return [[node, `${mantissa.slice(0, -1)}${digit === 9 ? 8 : digit + 1}${text.slice(mantissa.length)}`]];
}

/** `values[i] ?? 0` is what the compiler asks for: an index in range has a value, and the 0 is never reached. */
function isFallbackOfIndex(node: ts.Node): boolean {
  const { parent } = node;
  if (!ts.isBinaryExpression(parent) || parent.operatorToken.kind !== ts.SyntaxKind.QuestionQuestionToken) return false;
  return parent.right === node && ts.isElementAccessExpression(parent.left);
}

/** A loop that goes the other way never ends: any test notices, and takes its time to. */
function isStepOfLoop(node: ts.Node): boolean {
  return ts.isForStatement(node.parent) && node.parent.incrementor === node;
}

function signChanges(node: ts.PrefixUnaryExpression, source: ts.SourceFile): Change[] {
  const isSign = node.operator === ts.SyntaxKind.ExclamationToken || node.operator === ts.SyntaxKind.MinusToken;
  // A space, or `- -1` would become `--1`.
  return isSign ? [[node, ` ${node.operand.getText(source)}`]] : [];
}

function exits(statement: ts.Statement): boolean {
  const last = ts.isBlock(statement) ? statement.statements.at(-1) : statement;
  if (!last) return false;
  if (ts.isReturnStatement(last) || ts.isThrowStatement(last)) return true;
  return ts.isContinueStatement(last) || ts.isBreakStatement(last);
}

function isEquality(node: ts.Node): boolean {
  return ts.isBinaryExpression(node) && /^[!=]==$/.test(node.operatorToken.getText());
}

function isText(node: ts.Node): boolean {
  return ts.isStringLiteral(node) || ts.isTemplateExpression(node) || ts.isNoSubstitutionTemplateLiteral(node);
}
