/**
 * Whether JSON is nested deeper than so many levels of objects and arrays. Looked at before it is parsed, since what is done with a
 * value afterwards takes a stack for each level. Of what is no JSON it may say either.
 */
export function isNestedDeeper(json: string, most: number): boolean {
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    // In a text, brackets are none.
    if (character === '"') at = endOfText(json, at);
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth > most) return true;
  }
  return false;
}

function endOfText(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at;
}
