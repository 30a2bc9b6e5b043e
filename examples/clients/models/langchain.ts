// A model without a network, for the examples: it calls every tool that it is offered, then says what they said.
import { BaseChatModel, type BindToolsInput } from '@langchain/core/language_models/chat_models';
import { AIMessage, type BaseMessage, ToolMessage } from '@langchain/core/messages';
import type { ChatResult } from '@langchain/core/outputs';

export class ScriptedModel extends BaseChatModel {
  private readonly tools: readonly BindToolsInput[];

  constructor(tools: readonly BindToolsInput[] = []) {
    super({});
    this.tools = tools;
  }

  _llmType(): string {
    return 'scripted';
  }

  override bindTools(tools: BindToolsInput[]): ScriptedModel {
    return new ScriptedModel(tools);
  }

  async _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const said = messages.filter((message) => ToolMessage.isInstance(message)).map(({ text }) => text);
    const message = said.length > 0 ? new AIMessage(said.join('; ')) : this.callingAllTools();
    return { generations: [{ text: message.text, message }] };
  }

  private callingAllTools(): AIMessage {
    const names = this.tools.flatMap((tool) => ('name' in tool ? [String(tool.name)] : []));
    return new AIMessage({
      content: '',
      tool_calls: names.map((name) => ({ name, args: {}, id: `call-${name}`, type: 'tool_call' })),
    });
  }
}
